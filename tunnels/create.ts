/** Opens the door to the kernel: what the agent and `sheath cleanup` call. */
import type { Dataplane } from './dataplane.ts';
import type { DataplaneOptions } from './ports.ts';

export type { DataplaneOptions, Runner } from './ports.ts';

/** Opens the netlink sockets; writes nothing. @throws DataplaneFailure `NETLINK_FAILED` when a socket cannot be opened. */
export function createDataplane(_options: DataplaneOptions): Promise<Dataplane> {
  return Promise.reject(new Error('createDataplane: not built yet'));
}
