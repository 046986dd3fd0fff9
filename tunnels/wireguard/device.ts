/** One WireGuard device: its key, port and mark, and its peers. */
import type { Device, DeviceChange, Peer, PeerChange, PrivateKey, WireGuard } from 'wireguard-tools-wrapper';
import type { DeviceName, Observation, RoutingConfig } from '../../mesh/types.ts';
import type { DataplaneError } from '../dataplane.ts';
import type { DeviceRequest, ObserveRequest } from '../driver.ts';
import { change, codeOf, type Outcome, refused } from '../failure.ts';
import { DevicePeers, type PeerRemoval, type PeerUpdate } from './peers.ts';

/** What the device as a whole has; never its private key. */
interface Settings {
  readonly publicKey: string | undefined;
  readonly port: number;
  readonly fwmark: number;
}

export class DeviceState {
  readonly #name: DeviceName;
  readonly #wireguard: WireGuard;
  readonly #now: () => number;
  readonly #peers = new DevicePeers();
  #settings: Settings | undefined;
  /** What its packets are to be marked with. */
  #mark: number | undefined;
  /** As it was read last. */
  #last: Device | undefined;
  /** It was as wanted once: what differs from then on was another's hand. */
  #settled = false;
  #moved: ReadonlySet<string> = new Set();

  constructor(name: DeviceName, wireguard: WireGuard, now: () => number) {
    this.#name = name;
    this.#wireguard = wireguard;
    this.#now = now;
  }

  get disturbed(): boolean {
    return this.#settings === undefined || this.#peers.disturbed;
  }

  async refresh({ device, plan, desired }: DeviceRequest): Promise<void> {
    this.#peers.want(device, plan.peers, desired.keepalive);
    if (this.#settings === undefined) await this.#read();
  }

  async observe({ generation, look }: ObserveRequest): Promise<readonly Observation[]> {
    const device = look ? await this.#show() : await this.#read();
    return device.peers.map((peer) => this.#observed(peer, generation));
  }

  /** Field by field, and no spread: this is made anew for every peer at every look. */
  #observed(peer: Peer, generation: number): Observation {
    const { endpoint, latestHandshake } = peer;
    const observation: { -readonly [field in keyof Observation]: Observation[field] } = {
      device: this.#name,
      generation,
      publicKey: peer.publicKey,
      receivedBytes: peer.receivedBytes,
      sentBytes: peer.sentBytes,
    };
    if (endpoint !== undefined) observation.endpoint = endpoint as NonNullable<Observation['endpoint']>;
    if (latestHandshake !== undefined) observation.lastHandshake = latestHandshake;
    return observation;
  }

  async configure(request: DeviceRequest, outcome: Outcome): Promise<void> {
    await this.#configureDevice(request, outcome);
    const updates = this.#peers.updates(new Set(request.desired.restart));
    this.#moved = new Set(updates.flatMap(({ changes }) => changes.flatMap((one) => one.allowedIps ?? [])));
    await this.#write(updates, ({ changes }) => changes, {
      done: (update) => {
        this.#peers.wrote(update);
        outcome.changed(change('peer', update.action, { ...update, what: this.#describe(update) }));
      },
      failed: ({ wanted }, cause) =>
        outcome.failed({
          ...refused('peer', `${wanted.node} on ${this.#name}`, cause),
          node: wanted.node,
        }),
    });
  }

  async prune(outcome: Outcome): Promise<void> {
    await this.#settleMark(outcome);
    const removals = this.#peers.removals(this.#moved);
    this.#moved = new Set();
    await this.#write(removals, removalChanges, {
      done: (removal) => {
        this.#peers.removed(removal);
        if (removal.prefixes?.length === 0) return;
        const action = removal.wanted === undefined ? 'remove' : 'change';
        outcome.changed(change('peer', action, { ...removal, what: this.#describeRemoval(removal) }));
      },
      failed: ({ publicKey }, cause) =>
        outcome.failed(refused('peer', `${publicKey} on ${this.#name}`, cause)),
    });
  }

  /** All in one request; when that is refused, one by one, so that the one that is refused does not cost the others. */
  async #write<T>(
    items: readonly T[],
    changesOf: (item: T) => readonly PeerChange[],
    on: { done: (item: T) => void; failed: (item: T, cause: unknown) => void },
  ): Promise<void> {
    const peers = items.flatMap(changesOf);
    try {
      if (peers.length > 0) await this.#wireguard.set(this.#name, { peers });
      for (const item of items) on.done(item);
    } catch (cause) {
      this.#settings = undefined;
      if (items.length <= 1) {
        for (const item of items) on.failed(item, cause);
        return;
      }
      for (const item of items) await this.#write([item], changesOf, on);
    }
  }

  async #configureDevice({ device, plan, desired }: DeviceRequest, outcome: Outcome): Promise<void> {
    let key: PrivateKey;
    try {
      key = desired.privateKey(device.generation);
    } catch (cause) {
      outcome.failed(refused('device', `${device.name}: its private key`, cause));
      return;
    }
    const has = this.#settings;
    this.#mark = plan.routing.fwmark.mark;
    const fwmark = markMeanwhile(has?.fwmark ?? 0, plan.routing.fwmark);
    const wanted = { publicKey: key.publicKey(), port: device.port, fwmark };
    const request: DeviceChange = {
      ...(has?.publicKey === wanted.publicKey ? {} : { privateKey: key }),
      ...(has?.port === wanted.port ? {} : { listenPort: wanted.port }),
      ...(has?.fwmark === wanted.fwmark ? {} : { fwmark: wanted.fwmark }),
    };
    const fields = Object.keys(request);
    if (fields.length > 0) {
      try {
        await this.#wireguard.set(device.name, request);
      } catch (cause) {
        this.#settings = undefined;
        outcome.failed(deviceRefused(device, cause));
        return;
      }
      this.#settings = wanted;
      const what = `${device.name} ${fields.map((field) => settingText(field, wanted)).join(' ')}`;
      outcome.changed(change('device', 'change', { what, repaired: this.#settled }));
    }
    this.#settled = true;
  }

  /** The rules know the new mark by now, and nobody the old one. */
  async #settleMark(outcome: Outcome): Promise<void> {
    const fwmark = this.#mark;
    if (fwmark === undefined || this.#settings === undefined || this.#settings.fwmark === fwmark) return;
    try {
      await this.#wireguard.set(this.#name, { fwmark });
      this.#settings = { ...this.#settings, fwmark };
      const what = `${this.#name} ${settingText('fwmark', this.#settings)}`;
      outcome.changed(change('device', 'change', { what }));
    } catch (cause) {
      this.#settings = undefined;
      outcome.failed(refused('device', this.#name, cause));
    }
  }

  async #show(): Promise<Device> {
    this.#last = await this.#wireguard.show(this.#name, { known: this.#last });
    return this.#last;
  }

  async #read(): Promise<Device> {
    const device = await this.#show();
    this.#settings = { publicKey: device.publicKey, port: device.listenPort, fwmark: device.fwmark };
    this.#peers.read(device, this.#now());
    return device;
  }

  #describe({ wanted, changes }: PeerUpdate): string {
    const last = changes.at(-1);
    const parts = [
      ...(changes.length > 1 ? ['restarted'] : []),
      ...(last?.endpoint === undefined ? [] : [`endpoint ${endpointText(last.endpoint)}`]),
      ...(last?.allowedIps === undefined ? [] : [`allowed-ips ${last.allowedIps.join(',')}`]),
      ...(last?.persistentKeepalive === undefined ? [] : [`keepalive ${last.persistentKeepalive}`]),
    ];
    return `${wanted.node} on ${this.#name}: ${parts.join(' ')}`;
  }

  #describeRemoval({ wanted, publicKey, prefixes }: PeerRemoval): string {
    const name = wanted?.node ?? publicKey;
    const what = prefixes === undefined ? '' : `: allowed-ips -${prefixes.join(',-')}`;
    return `${name} on ${this.#name}${what}`;
  }
}

/**
 * While the rules change from one mark to another, tunnel packets carry both: whichever is asked for, they go the ordinary way, and not
 * into the tunnel that they come from.
 */
function markMeanwhile(has: number, { mark, mask }: RoutingConfig['fwmark']): number {
  const both = (has | mark) >>> 0;
  return (both & mask) >>> 0 === mark ? both : mark;
}

function removalChanges({ publicKey, prefixes }: PeerRemoval): PeerChange[] {
  if (prefixes === undefined) return [{ publicKey, remove: true }];
  return prefixes.length === 0 ? [] : [{ publicKey, updateOnly: true, removeAllowedIps: prefixes }];
}

function deviceRefused(device: { name: string; port: number }, cause: unknown): DataplaneError {
  if (codeOf(cause) !== 'PORT_TAKEN') return refused('device', device.name, cause);
  return {
    part: 'device',
    code: 'PORT_TAKEN',
    message: `device ${device.name}: UDP port ${device.port} is taken by another program; free it, or choose another with --wireguard-port`,
    cause,
  };
}

function settingText(field: string, { publicKey, port, fwmark }: Settings): string {
  if (field === 'privateKey') return `key of ${publicKey}`;
  return field === 'listenPort' ? `port ${port}` : `fwmark 0x${fwmark.toString(16)}`;
}

const endpointText = ({ address, port }: { address: string; port: number }) =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
