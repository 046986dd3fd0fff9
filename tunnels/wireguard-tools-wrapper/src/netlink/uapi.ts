/** Numbers of the kernel's interface, under their names in linux/netlink.h, genetlink.h, rtnetlink.h and wireguard.h. */

export const NETLINK = { route: 0, generic: 16 } as const;

/** Bytes of struct nlmsghdr, struct genlmsghdr, struct ifinfomsg, struct nlattr. */
export const HEADER = { message: 16, generic: 4, link: 16, attribute: 4 } as const;

export const NLMSG = { error: 2, done: 3 } as const;

export const NLM_F = { request: 0x01, multi: 0x02, ack: 0x04, dumpInterrupted: 0x10, dump: 0x300 } as const;

/** Set in the type of an attribute that holds attributes; the kernel refuses a nest without it. */
export const NLA_F_NESTED = 0x8000;
export const NLA_TYPE_MASK = 0x3fff;

export const CTRL = { family: 0x10, version: 1, getFamily: 3, familyId: 1, familyName: 2 } as const;

export const RTM = { newLink: 16, getLink: 18 } as const;
export const IFLA = { name: 3, linkInfo: 18, infoKind: 1 } as const;

export const WG_GENL = { name: 'wireguard', version: 1, getDevice: 0, setDevice: 1 } as const;

export const WGDEVICE_A = {
  ifindex: 1,
  ifname: 2,
  privateKey: 3,
  publicKey: 4,
  flags: 5,
  listenPort: 6,
  fwmark: 7,
  peers: 8,
} as const;
export const WGDEVICE_F = { replacePeers: 1 } as const;

export const WGPEER_A = {
  publicKey: 1,
  presharedKey: 2,
  flags: 3,
  endpoint: 4,
  persistentKeepalive: 5,
  lastHandshake: 6,
  rxBytes: 7,
  txBytes: 8,
  allowedIps: 9,
  protocolVersion: 10,
} as const;
export const WGPEER_F = { removeMe: 1, replaceAllowedIps: 2, updateOnly: 4 } as const;

export const WGALLOWEDIP_A = { family: 1, address: 2, length: 3, flags: 4 } as const;
/** Since Linux 6.16. */
export const WGALLOWEDIP_F = { removeMe: 1 } as const;

export const AF = { inet: 2, inet6: 10 } as const;
/** Bytes of struct sockaddr_in and struct sockaddr_in6. */
export const SOCKADDR = { inet: 16, inet6: 28 } as const;
