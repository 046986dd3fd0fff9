/** One agent a network namespace: two would take back each other's devices and routes. */
import { createServer, type Server } from 'node:net';
import { OperatorError } from '../errors.ts';

/** An abstract socket (unix(7)): it belongs to the network namespace, has no file, and ends with its process. */
const NAME = '\0sheath-agent';

export interface Claim {
  release(): void;
}

/** @throws OperatorError `ALREADY_RUNNING` */
export async function claimNamespace(name = NAME): Promise<Claim> {
  const server = createServer((connection) => connection.destroy());
  try {
    await listening(server, name);
  } catch (cause) {
    throw new OperatorError(
      'ALREADY_RUNNING',
      'another sheath agent keeps this network namespace: stop it first; one is enough for a node',
      { cause },
    );
  }
  server.unref();
  return { release: () => server.close() };
}

function listening(server: Server, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(name, () => {
      server.off('error', reject);
      server.on('error', () => {}); // a connection that could not be accepted is no loss
      resolve();
    });
  });
}
