/** The one adapter to NETLINK_XFRM. */
import { type Encode, RequestSocket } from '../../netlink/socket.ts';
import { countPolicies, listPolicies, parseCount, parsePolicy, removePolicy, setPolicy } from './policies.ts';
import { listStates, removeState, takeState } from './states.ts';
import type { Xfrm, XfrmWrite } from './types.ts';

export const NETLINK_XFRM = 6;

/** Opens a socket at once. @throws ErrnoException of socket(2): `EPROTONOSUPPORT` where the kernel has no IPsec. */
export function openXfrm(): Xfrm {
  const requests = new RequestSocket(NETLINK_XFRM);

  return {
    policies: (isOurs) => requests.list(listPolicies, ({ body }) => parsePolicy(body, isOurs)),
    policyCount: async () => (await requests.list(countPolicies, ({ body }) => parseCount(body))).join(' '),
    states: (isOurs) => requests.list(listStates, ({ body }) => takeState(body, isOurs)),
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
