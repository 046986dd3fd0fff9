/** The one adapter to NETLINK_XFRM. */
import { type Encode, RequestSocket } from '../../netlink/socket.ts';
import type { Message } from '../../netlink/wire.ts';
import { listPolicies, parsePolicy, removePolicy, setPolicy } from './policies.ts';
import { listStates, removeState, takeState } from './states.ts';
import type { Xfrm, XfrmWrite } from './types.ts';

const NETLINK_XFRM = 6;

/** Opens a socket at once. @throws ErrnoException of socket(2): `EPROTONOSUPPORT` where the kernel has no IPsec. */
export function openXfrm(): Xfrm {
  const requests = new RequestSocket(NETLINK_XFRM);

  async function list<T>(encode: Encode, parse: (message: Message) => T | undefined): Promise<T[]> {
    let found: T[] = [];
    await requests.dump(
      encode,
      (message) => {
        const parsed = parse(message);
        if (parsed !== undefined) found.push(parsed);
      },
      () => {
        found = [];
      },
    );
    return found;
  }

  return {
    policies: (isOurs) => list(listPolicies, ({ body }) => parsePolicy(body, isOurs)),
    states: (isOurs) => list(listStates, ({ body }) => takeState(body, isOurs)),
    write: async (writes) => (writes.length === 0 ? [] : requests.send(writes.map(encodeWrite))),
    close: () => requests.close(),
  };
}

function encodeWrite(write: XfrmWrite): Encode {
  switch (write.type) {
    case 'setPolicy':
      return setPolicy(write.policy);
    case 'removePolicy':
      return removePolicy(write.policy);
    case 'removeState':
      return removeState(write.state);
  }
}
