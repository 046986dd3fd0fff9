/** Whether the kernel has XFRM interfaces, without making one: it is asked for one with an MTU that no link may have. */
import { createLink, removeLink } from '../../netlink/links.ts';
import { type Encode, NETLINK_ROUTE, RequestSocket } from '../../netlink/socket.ts';

const NAME = 'sheath-trial';
const IFLA_MTU = 4;

/** The kernel looks for the kind first, loads its module, and refuses the MTU then (`rtnl_newlink` in net/core/rtnetlink.c). */
const impossible: Encode = (writer) => {
  createLink({ name: NAME, kind: 'xfrm', interfaceId: 0 })(writer);
  writer.u32(IFLA_MTU, 1);
};

export async function hasXfrmInterfaces(): Promise<boolean> {
  const socket = new RequestSocket(NETLINK_ROUTE);
  try {
    const [error] = await socket.send([impossible]);
    if (error === undefined) await socket.send([removeLink(NAME)]);
    return error?.code !== 'EOPNOTSUPP' && error?.code !== 'ENOTSUP';
  } finally {
    socket.close();
  }
}
