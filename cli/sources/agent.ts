/** This node's agent, over its socket `agent.sock` in the run directory. */
import { request } from 'node:http';
import { join } from 'node:path';
import type { AgentStatus, PlanAnswer } from '../../operator/status.ts';
import { CliError, EXIT } from '../exit.ts';

/** An agent that is busy with 5000 peers still answers well within this. */
const ANSWER_WITHIN = 5000;

export interface AgentClient {
  readonly socket: string;
  status(): Promise<AgentStatus>;
  plan(): Promise<PlanAnswer>;
}

/** @throws CliError with exit code 3 from each of its methods, when nobody answers. */
export function agentClient(runDir: string): AgentClient {
  const socket = join(runDir, 'agent.sock');
  return {
    socket,
    // What the agent of the same version says is taken at its word: it is root's on this machine.
    status: async () => JSON.parse(await get(socket, '/status')) as AgentStatus,
    plan: async () => JSON.parse(await get(socket, '/plan')) as PlanAnswer,
  };
}

/** Whether somebody listens on the socket; a socket left behind by a killed agent does not count. */
export async function agentAnswers(client: AgentClient): Promise<boolean> {
  try {
    await get(client.socket, '/healthz');
    return true;
  } catch (error) {
    if (error instanceof CliError && (error.code === 'AGENT_ABSENT' || error.code === 'AGENT_GONE'))
      return false;
    // It listens, whatever it says.
    return true;
  }
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_WITHIN);
    const asked = request(
      { socketPath, path, signal, headers: { accept: 'application/json' } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', (error) => reject(unreachable(socketPath, error)));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          if (response.statusCode === 200) resolve(text);
          else reject(refused({ socketPath, path, status: response.statusCode, text }));
        });
      },
    );
    asked.on('error', (error) => reject(unreachable(socketPath, error)));
    asked.end();
  });
}

function refused(answer: {
  socketPath: string;
  path: string;
  status: number | undefined;
  text: string;
}): CliError {
  const said = answer.text.trim().slice(0, 200);
  return new CliError(
    `the agent on ${answer.socketPath} answered ${answer.path} with ${answer.status}: ${said}`,
    {
      code: 'AGENT_REFUSED',
      exitCode: EXIT.wrong,
    },
  );
}

function unreachable(socket: string, cause: NodeJS.ErrnoException): CliError {
  const { code, why } = diagnose(cause);
  return new CliError(`no agent on ${socket}: ${why}`, { code, exitCode: EXIT.unreachable, cause });
}

const ELSEWHERE = "start 'sheath agent', name its folder with --run-dir, or ask the cluster with --cluster";

function diagnose(error: NodeJS.ErrnoException): { code: string; why: string } {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return { code: 'AGENT_ABSENT', why: `there is no such socket; ${ELSEWHERE}` };
    case 'ECONNREFUSED':
      return { code: 'AGENT_GONE', why: `the agent that made it is gone; ${ELSEWHERE}` };
    case 'EACCES':
    case 'EPERM':
      return { code: 'AGENT_FORBIDDEN', why: 'permission denied; run as root' };
    case 'ABORT_ERR':
      return {
        code: 'AGENT_SILENT',
        why: `it did not answer within ${ANSWER_WITHIN / 1000}s; look at its log`,
      };
    default:
      return { code: 'AGENT_UNREACHABLE', why: error.message };
  }
}
