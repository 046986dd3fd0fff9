/** WireGuard in the kernel, over generic netlink. */
import { checkChange, losers, removalsLast, throwAway } from './change.ts';
import { WireGuardError } from './errors.ts';
import { NetlinkChannel, NetlinkError, type NetlinkRequest } from './netlink/channel.ts';
import { DeviceDecoder, type DumpMemory } from './netlink/decode.ts';
import { encodeChange, encodeRemovals, SET_MESSAGE_BYTES } from './netlink/encode.ts';
import { wireGuardFamily, wireGuardLinks } from './netlink/family.ts';
import { HEADER, NETLINK, NLM_F, WG_GENL, WGDEVICE_A } from './netlink/uapi.ts';
import { MessageWriter } from './netlink/writer.ts';
import { systemError } from './system-error.ts';
import type { Device, DeviceChange, PeerChange, ShowOptions, WireGuard } from './types.ts';

type Send = (request: NetlinkRequest) => Promise<void>;

/** How often a dump is tried when the device changes under it. */
const DUMP_TRIES = 16;

/** Lives as long as the answer that was made with it. */
const memories = new WeakMap<Device, DumpMemory>();

export interface KernelOptions {
  /** Whether the kernel knows WGALLOWEDIP_F_REMOVE_ME (Linux 6.16 and later do); by default it is found out when needed. */
  readonly removeMe?: boolean;
}

/**
 * Sees the devices of the network namespace it was first used in. Needs CAP_NET_ADMIN there. Requests run one after another;
 * the sockets are opened with the first one.
 */
export class KernelWireGuard implements WireGuard {
  readonly #generic = new NetlinkChannel(NETLINK.generic);
  readonly #route = new NetlinkChannel(NETLINK.route);
  #family: number | undefined;
  /** Undefined until the first prefix is taken away. */
  #knowsRemoveMe: boolean | undefined;

  constructor({ removeMe }: KernelOptions = {}) {
    this.#knowsRemoveMe = removeMe;
  }

  async interfaces(): Promise<string[]> {
    try {
      return await wireGuardLinks(this.#route);
    } catch (error) {
      throw explain(error, 'the devices', 'listing');
    }
  }

  async show(device: string, options: ShowOptions = {}): Promise<Device> {
    try {
      const family = await this.#resolveFamily();
      return await this.#generic.exclusive((send) => dump({ send, family, device, options }));
    } catch (error) {
      throw explain(error, device, 'reading');
    }
  }

  async set(device: string, change: DeviceChange): Promise<void> {
    checkChange(change);
    const peers = change.peers ?? [];
    const ordered = { ...change, peers: removalsLast(peers) };
    try {
      const family = await this.#resolveFamily();
      await this.#generic.exclusive(async (send) => {
        const writer = new MessageWriter(SET_MESSAGE_BYTES);
        try {
          await sendAll(send, family, encodeChange(writer, device, ordered));
          await this.#takeAway({ send, family, device, writer }, losers(peers));
        } finally {
          writer.clear();
        }
      });
    } catch (error) {
      throw explain(error, device, 'setting');
    }
  }

  close(): void {
    this.#generic.close();
    this.#route.close();
  }

  async #resolveFamily(): Promise<number> {
    this.#family ??= await wireGuardFamily(this.#generic);
    if (this.#family === undefined) {
      throw new WireGuardError('NOT_SUPPORTED', 'this kernel has no WireGuard: load the module `wireguard`');
    }
    return this.#family;
  }

  async #takeAway(
    { send, family, device, writer }: { send: Send; family: number; device: string; writer: MessageWriter },
    peers: readonly PeerChange[],
  ): Promise<void> {
    if (peers.length === 0) return;
    if (this.#knowsRemoveMe !== false) {
      try {
        await sendAll(send, family, encodeRemovals(writer, device, peers));
        this.#knowsRemoveMe = true;
        return;
      } catch (error) {
        if (this.#knowsRemoveMe === true || !isUnknownAttribute(error)) throw error;
        this.#knowsRemoveMe = false;
      }
    }
    const change = throwAway(await dump({ send, family, device }), peers);
    if (change !== undefined) await sendAll(send, family, encodeChange(writer, device, change));
  }
}

/** Whether this kernel has WireGuard, as a module that it can load or built in. Needs no rights. */
export async function hasKernelWireGuard(): Promise<boolean> {
  const channel = new NetlinkChannel(NETLINK.generic);
  try {
    return (await wireGuardFamily(channel)) !== undefined;
  } finally {
    channel.close();
  }
}

async function sendAll(send: Send, type: number, messages: Iterable<Buffer>): Promise<void> {
  for (const message of messages) await send({ message, type, flags: NLM_F.ack });
}

interface DumpRequest {
  readonly send: Send;
  readonly family: number;
  readonly device: string;
  readonly options?: ShowOptions;
}

/** A dump that the device's change spoiled is begun anew. */
async function dump({ send, family, device, options: { known } = {} }: DumpRequest): Promise<Device> {
  const writer = new MessageWriter(64);
  const memory = (known && memories.get(known)) ?? [];
  for (let attempt = 1; ; attempt++) {
    writer.beginGeneric(WG_GENL.getDevice, WG_GENL.version);
    writer.text(WGDEVICE_A.ifname, checkedName(device));
    const decoder = new DeviceDecoder(device, memory);
    try {
      await send({
        message: writer.message(),
        type: family,
        flags: NLM_F.dump,
        onMessage: (datagram, start, end) => {
          decoder.push(datagram, start + HEADER.generic, end);
          datagram.fill(0, start, end); // it held the private key
        },
      });
      const answer = decoder.finish();
      memories.set(answer, memory);
      return answer;
    } catch (error) {
      if (!(error instanceof NetlinkError && error.errno === 'EINTR') || attempt === DUMP_TRIES) throw error;
    }
  }
}

/** IFNAMSIZ with its NUL is 16 bytes. */
function checkedName(device: string): string {
  if (device === '' || Buffer.byteLength(device) > 15) {
    throw new WireGuardError('INVALID', `${JSON.stringify(device)} is no name of a device: 1 to 15 bytes`);
  }
  return device;
}

/** Kernels before 6.16 refuse the attribute WGALLOWEDIP_A_FLAGS in strict validation. */
function isUnknownAttribute(error: unknown): boolean {
  return error instanceof NetlinkError && ['EINVAL', 'EOPNOTSUPP', 'ENOTSUP', 'ERANGE'].includes(error.errno);
}

function explain(error: unknown, device: string, verb: string): unknown {
  if (!(error instanceof NetlinkError)) return error;
  if (verb === 'reading' && (error.errno === 'EOPNOTSUPP' || error.errno === 'ENOTSUP')) {
    return new WireGuardError('NOT_WIREGUARD', `${device} is a device of another kind`, {
      errno: error.errno,
      cause: error,
    });
  }
  return systemError(error.errno, { device, verb, cause: error });
}
