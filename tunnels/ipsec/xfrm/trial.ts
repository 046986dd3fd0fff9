/**
 * Whether the kernel can do ESP with an algorithm, without doing it: it is asked for a state whose replay window is larger than the
 * bitmap behind it. The kernel finds the protocol and the algorithms first, loads modules for both, and refuses the window last
 * (`xfrm_state_construct` in net/xfrm/xfrm_user.c), so nothing is ever installed.
 */
import type { Address } from '../../../mesh/types.ts';
import { type Encode, RequestSocket } from '../../netlink/socket.ts';
import { removeState } from './states.ts';
import { familyNumber, IPPROTO_ESP, writeAddress, XFRM_MODE_TUNNEL } from './structs.ts';
import { NETLINK_XFRM } from './xfrm.ts';

/** In the kernel's names, and bits of key material as it counts them. */
export type EspTrial =
  | { readonly aead: string; readonly bits: number; readonly icv: number }
  | { readonly cipher: string; readonly bits: number; readonly integrity: string; readonly digest: number };

export type TrialFamily = 4 | 6;

const NEWSA = 0x10;
const ATTRIBUTE = { CRYPT: 2, AEAD: 18, AUTH_TRUNC: 20, REPLAY_ESN: 23 } as const;
const STATE_ESN = 128;
/** `struct xfrm_usersa_info`. */
const INFO = {
  SIZE: 224,
  DESTINATION: 56,
  SPI: 72,
  PROTO: 76,
  SOURCE: 80,
  FAMILY: 212,
  MODE: 214,
  FLAGS: 216,
} as const;
const NAME = 64;
const SPI = 0x73680000;
/** Of documentation (RFC 5737, RFC 3849). */
const ADDRESSES = {
  4: { source: '192.0.2.1' as Address, destination: '192.0.2.2' as Address },
  6: { source: '2001:db8::1' as Address, destination: '2001:db8::2' as Address },
} as const;

/**
 * @returns one answer a trial: undefined when the kernel can, else the errno's name: `EPROTONOSUPPORT` where it has no ESP, `ENOSYS`
 * or `ENOENT` where it has no such algorithm. @throws ErrnoException of socket(2): `EPROTONOSUPPORT` where it has no IPsec at all.
 */
export async function tryEsp(
  family: TrialFamily,
  trials: readonly EspTrial[],
): Promise<(string | undefined)[]> {
  const socket = new RequestSocket(NETLINK_XFRM);
  try {
    const answers = await socket.send(trials.map((trial) => newState(family, trial)));
    // A kernel that takes the window has a state now, which leads nowhere.
    if (answers.includes(undefined))
      await socket.send([removeState({ spi: SPI, destination: ADDRESSES[family].destination })]);
    return answers.map((error) => (error?.code === 'EINVAL' ? undefined : error?.code));
  } finally {
    socket.close();
  }
}

const newState =
  (family: TrialFamily, trial: EspTrial): Encode =>
  (writer) => {
    const { source, destination } = ADDRESSES[family];
    const info = Buffer.alloc(INFO.SIZE);
    writeAddress(info, INFO.DESTINATION, destination);
    writeAddress(info, INFO.SOURCE, source);
    info.writeUInt32BE(SPI, INFO.SPI);
    info[INFO.PROTO] = IPPROTO_ESP;
    info.writeUInt16LE(familyNumber(destination), INFO.FAMILY);
    info[INFO.MODE] = XFRM_MODE_TUNNEL;
    info[INFO.FLAGS] = STATE_ESN;
    writer.begin(NEWSA, 0);
    writer.struct([...info]);
    if ('aead' in trial) writer.bytes(ATTRIBUTE.AEAD, algorithm(trial.aead, trial.bits, trial.icv * 8));
    else {
      writer.bytes(ATTRIBUTE.CRYPT, algorithm(trial.cipher, trial.bits));
      writer.bytes(ATTRIBUTE.AUTH_TRUNC, algorithm(trial.integrity, trial.digest, trial.digest / 2));
    }
    writer.bytes(ATTRIBUTE.REPLAY_ESN, impossibleWindow());
  };

/** `struct xfrm_algo`, or with `more` `xfrm_algo_aead` and `xfrm_algo_auth`: name, bits of key, bits of tag, a key of zeros. */
function algorithm(name: string, bits: number, more?: number): Buffer {
  const head = NAME + (more === undefined ? 4 : 8);
  const bytes = Buffer.alloc(head + bits / 8);
  bytes.write(name);
  bytes.writeUInt32LE(bits, NAME);
  if (more !== undefined) bytes.writeUInt32LE(more, NAME + 4);
  return bytes;
}

/** `struct xfrm_replay_state_esn`: a bitmap of one word, and a window of 64. */
function impossibleWindow(): Buffer {
  const bytes = Buffer.alloc(6 * 4 + 4);
  bytes.writeUInt32LE(1, 0);
  bytes.writeUInt32LE(64, 20);
  return bytes;
}
