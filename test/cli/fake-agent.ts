/** Answers on a socket as an agent does, with what the test says. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Answers = Readonly<Record<string, unknown>>;

export interface FakeAgent {
  readonly runDir: string;
  close(): Promise<void>;
}

/** Answers each path of `answers` with its value as JSON; anything else with 404. */
export async function startFakeAgent(answers: Answers): Promise<FakeAgent> {
  const runDir = await mkdtemp(join(tmpdir(), 'sheath-cli-'));
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { error: 'not found' }));
  });
  await new Promise<void>((resolve) => server.listen(join(runDir, 'agent.sock'), resolve));
  return {
    runDir,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(runDir, { recursive: true, force: true });
    },
  };
}
