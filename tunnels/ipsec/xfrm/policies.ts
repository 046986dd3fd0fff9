/** Policies as bytes: `struct xfrm_userpolicy_info`, `xfrm_userpolicy_id` and `xfrm_user_tmpl` of linux/xfrm.h. */
import type { Address } from '../../../mesh/types.ts';
import { familyOf, prefixParts } from '../../netlink/ip.ts';
import type { Encode } from '../../netlink/socket.ts';
import { attributes, NLM_F, u32Of } from '../../netlink/wire.ts';
import {
  familyNumber,
  IPPROTO_ESP,
  readAddress,
  readSelector,
  SELECTOR,
  writeAddress,
  writeSelector,
  XFRM_MODE_TUNNEL,
  XFRM_MSG,
  XFRMA,
} from './structs.ts';
import type { Direction, FoundPolicy, Policy } from './types.ts';

const INFO = { SIZE: 168, LIFETIME: 56, PRIORITY: 152, DIRECTION: 160, ACTION: 161 } as const;
/** The first four of `struct xfrm_lifetime_cfg`: bytes and packets. */
const LIFETIME_LIMITS = 32;
const ID = { SIZE: 64, DIRECTION: 60 } as const;
const TEMPLATE = {
  SIZE: 64,
  SPI: 16,
  PROTO: 20,
  FAMILY: 24,
  SOURCE: 28,
  REQID: 44,
  MODE: 48,
  OPTIONAL: 50,
  ALGORITHMS: 52,
} as const;

const DIRECTIONS = ['in', 'out', 'fwd'] as const satisfies readonly Direction[];
const DIRECTION_NUMBER = { in: 0, out: 1, fwd: 2 } as const satisfies Record<Direction, number>;

const sideOf = (direction: Direction) => (direction === 'out' ? 'destination' : 'source');

/** The longest prefix first, as in routing: the kernel takes the lowest number, whatever the prefix. */
function priorityOf(prefix: string): number {
  return 1000 + (familyOf(prefix) === 6 ? 128 : 32) - prefixParts(prefix).length;
}

export const listPolicies: Encode = (writer) => {
  writer.begin(XFRM_MSG.GETPOLICY, NLM_F.DUMP);
  writer.struct(new Array(ID.SIZE).fill(0));
};

/** No list: one message, `XFRMA_SPD_INFO` with `struct xfrmu_spdinfo`. */
export const countPolicies: Encode = (writer) => {
  writer.begin(XFRM_MSG.GETSPDINFO, 0);
  writer.struct([], [0]);
};

export const parseCount = (body: Buffer): string => body.toString('hex');

export const setPolicy =
  (policy: Policy): Encode =>
  (writer) => {
    const info = Buffer.alloc(INFO.SIZE);
    writeSelector(info, policy.prefix, sideOf(policy.direction));
    // XFRM_INF: no limit.
    info.fill(0xff, INFO.LIFETIME, INFO.LIFETIME + LIFETIME_LIMITS);
    info.writeUInt32LE(priorityOf(policy.prefix), INFO.PRIORITY);
    info[INFO.DIRECTION] = DIRECTION_NUMBER[policy.direction];
    // Not NEWPOLICY: that refuses what is there, and what is there is to be replaced without a gap.
    writer.begin(XFRM_MSG.UPDPOLICY, 0);
    writer.struct([...info]);
    writer.bytes(XFRMA.TMPL, Buffer.concat(policy.reqids.map((reqid) => template(policy, reqid))));
    writer.u32(XFRMA.IF_ID, policy.interfaceId);
  };

export const removePolicy =
  ({ direction, prefix, interfaceId }: Pick<Policy, 'direction' | 'prefix' | 'interfaceId'>): Encode =>
  (writer) => {
    const id = Buffer.alloc(ID.SIZE);
    writeSelector(id, prefix, sideOf(direction));
    id[ID.DIRECTION] = DIRECTION_NUMBER[direction];
    writer.begin(XFRM_MSG.DELPOLICY, 0);
    writer.struct([...id]);
    writer.u32(XFRMA.IF_ID, interfaceId);
  };

/** Several, each optional, are any of them: a packet that came by none of them is dropped all the same (__xfrm_policy_check). */
function template({ direction, local, remote, reqids }: Policy, reqid: number): Buffer {
  const bytes = Buffer.alloc(TEMPLATE.SIZE);
  bytes[TEMPLATE.PROTO] = IPPROTO_ESP;
  bytes.writeUInt16LE(familyNumber(remote), TEMPLATE.FAMILY);
  if (direction === 'out') {
    writeAddress(bytes, 0, remote);
    writeAddress(bytes, TEMPLATE.SOURCE, local);
  }
  bytes.writeUInt32LE(reqid, TEMPLATE.REQID);
  bytes[TEMPLATE.MODE] = XFRM_MODE_TUNNEL;
  bytes[TEMPLATE.OPTIONAL] = reqids.length > 1 ? 1 : 0;
  // Any algorithm: which, was negotiated.
  bytes.fill(0xff, TEMPLATE.ALGORITHMS);
  return bytes;
}

/** undefined: of another interface, or of a socket. */
export function parsePolicy(body: Buffer, isOurs: (interfaceId: number) => boolean): FoundPolicy | undefined {
  const found = attributes(body, INFO.SIZE);
  const interfaceId = u32Of(found.get(XFRMA.IF_ID)) ?? 0;
  const direction = DIRECTIONS[body[INFO.DIRECTION] ?? DIRECTIONS.length];
  if (direction === undefined || !isOurs(interfaceId)) return undefined;
  const { prefix, strange } = readSelector(body.subarray(0, SELECTOR.SIZE), sideOf(direction));
  const templates = split(found.get(XFRMA.TMPL) ?? Buffer.alloc(0));
  const usual =
    !strange &&
    body[INFO.ACTION] === 0 &&
    body.readUInt32LE(INFO.PRIORITY) === priorityOf(prefix) &&
    templates.every((bytes) => isUsual(bytes, templates.length > 1));
  const [first] = templates;
  const ends = first === undefined ? NO_ENDS : endsOf(first);
  const reqids = templates.map((bytes) => bytes.readUInt32LE(TEMPLATE.REQID));
  return { direction, prefix, interfaceId, reqids, ...ends, strange: !usual };
}

const split = (bytes: Buffer): Buffer[] =>
  Array.from({ length: Math.floor(bytes.length / TEMPLATE.SIZE) }, (_, i) =>
    bytes.subarray(i * TEMPLATE.SIZE, (i + 1) * TEMPLATE.SIZE),
  );

const isUsual = (bytes: Buffer, several: boolean): boolean =>
  bytes[TEMPLATE.PROTO] === IPPROTO_ESP &&
  bytes[TEMPLATE.MODE] === XFRM_MODE_TUNNEL &&
  bytes[TEMPLATE.OPTIONAL] === (several ? 1 : 0) &&
  bytes.readUInt32LE(TEMPLATE.SPI) === 0;

type Ends = Pick<Policy, 'local' | 'remote'>;

const NO_ENDS: Ends = { local: '0.0.0.0' as Address, remote: '0.0.0.0' as Address };

/** Addresses from the kernel, which it prints as we do. */
function endsOf(bytes: Buffer): Ends {
  const family = bytes.readUInt16LE(TEMPLATE.FAMILY);
  return {
    local: readAddress(bytes, TEMPLATE.SOURCE, family) as Address,
    remote: readAddress(bytes, 0, family) as Address,
  };
}
