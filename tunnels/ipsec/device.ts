/** One device: the links on it, as connections in charon and policies in the kernel. */

import { ed25519PublicKey } from '../../keys/ed25519.ts';
import type { PublicKey } from '../../keys/generation.ts';
import type { DeviceName, MeshPlan, Observation, PeerPlan } from '../../mesh/types.ts';
import { changedItems } from '../delta.ts';
import type { DeviceRequest, ObserveRequest } from '../driver.ts';
import { Outcome, refused } from '../failure.ts';
import type { CharonConfig } from './charon.ts';
import { interfaceId } from './connection.ts';
import { ConnectionTable } from './connection-table.ts';
import type { Daemon } from './daemon.ts';
import { troubleOf } from './errors.ts';
import type { Keeper } from './keeper.ts';
import { linkOf, type WantedLink, type Way } from './link.ts';
import { findLinks, type ObservedLink, observationOf, type Whose } from './observe.ts';
import { PolicyTable } from './policy-table.ts';
import type { Sessions } from './sessions.ts';
import type { IpsecSettings } from './settings.ts';
import { Traffic } from './traffic.ts';
import type { Xfrm } from './xfrm/types.ts';

export interface DeviceOptions {
  readonly daemon: Daemon;
  readonly xfrm: Xfrm;
  readonly keeper: Keeper;
  readonly sessions: Sessions;
  readonly settings: () => IpsecSettings;
  readonly charon: (plan: MeshPlan) => CharonConfig;
}

export class DeviceState {
  readonly #name: DeviceName;
  readonly #options: DeviceOptions;
  readonly #connections: ConnectionTable;
  readonly #policies: PolicyTable;
  readonly #traffic = new Traffic();
  /** By node. */
  readonly #links = new Map<string, WantedLink>();
  /** By node, as far as there is one: by which way it is sent to. */
  readonly #ways = new Map<string, Way>();
  readonly #reqids = new Map<number, string>();
  #last: readonly PeerPlan[] = [];
  #ownKey: PublicKey | undefined;
  /** What all links depend on, as text. */
  #common = '';
  #epoch: number | undefined;
  /** The epoch at which charon was in trouble last. */
  #failedAt: number | undefined;
  #policiesRead = false;
  #trouble: unknown;
  /** It was there, and is not any more. */
  #gone = false;
  #ended = false;
  #locals: ReadonlySet<string> = new Set();

  constructor(name: DeviceName, options: DeviceOptions) {
    this.#name = name;
    this.#options = options;
    this.#connections = new ConnectionTable(name);
    this.#policies = new PolicyTable(name, options.xfrm);
  }

  /** Of the generation that is wanted; undefined: none, or its key cannot be read. */
  get ownKey(): PublicKey | undefined {
    return this.#ownKey;
  }

  get disturbed(): boolean {
    // What is known to be in trouble is tried again with every `set`, and asks for none before it is another.
    const known = this.#epoch ?? this.#failedAt;
    const another = known !== undefined && known !== this.#options.daemon.epoch;
    return another || this.#gone || this.#connections.disturbed || this.#policies.disturbed;
  }

  /** That charon is away is told by `configure`, which does what can be done without it. */
  async refresh(request: DeviceRequest): Promise<void> {
    const { device, plan } = request;
    const { daemon, charon } = this.#options;
    this.#want(request);
    if (!this.#policiesRead) {
      await this.#policies.read(interfaceId(device.generation));
      for (const link of this.#links.values()) this.#adopt(link);
    }
    this.#policiesRead = true;
    this.#gone = false;
    try {
      await daemon.ready(charon(plan));
      if (this.#epoch !== daemon.epoch) await this.#connections.read(daemon.client, device.generation);
      this.#epoch = daemon.epoch;
      this.#trouble = undefined;
    } catch (cause) {
      this.#epoch = undefined;
      this.#failedAt = daemon.epoch;
      this.#trouble = cause;
    }
  }

  async configure(request: DeviceRequest, outcome: Outcome): Promise<void> {
    if (this.#trouble !== undefined) outcome.failed(troubleOf(this.#name, this.#trouble));
    else await this.#load(request, outcome);
    await this.#policies.add(outcome);
    this.#options.keeper.watch(this.#name, {
      links: this.#links,
      wayOf: (link) => this.#ways.get(link.node),
      use: (ways) => this.#use(ways),
      loadRest: async () => {
        if (!this.#ended) await this.#connections.loadRest(this.#options.daemon.client);
      },
    });
    const again = new Set(request.desired.restart);
    this.#options.keeper.provoke([...this.#links.keys()].filter((node) => again.has(node)));
  }

  /** It is taken back: what a look that is under way finds for it is of no use any more. */
  end(): void {
    this.#ended = true;
  }

  async prune(outcome: Outcome): Promise<void> {
    await this.#policies.remove(outcome);
    if (this.#trouble !== undefined) return;
    const { client } = this.#options.daemon;
    for (const ike of await this.#connections.unload(client, outcome)) {
      // None is there to be ended: that is refused, and well.
      await client.request('terminate', { ike, force: 'yes', timeout: '-1' }).catch(() => undefined);
    }
  }

  async observe({ generation, look }: ObserveRequest): Promise<readonly Observation[]> {
    const { daemon, xfrm, sessions } = this.#options;
    const id = interfaceId(generation);
    const states = await xfrm.states((one) => one === id);
    const alive = await daemon.alive();
    this.#gone = !alive && this.#epoch !== undefined;
    const known = this.#links.size > 0 || !alive;
    if (!look || !known) await this.#policies.read(id);
    if (!look && alive) await this.#connections.read(daemon.client, generation);
    const { links, locals } = known ? this.#known() : await this.#found();
    const traffic = this.#traffic.take(states, locals);
    const context = { device: this.#name, generation, traffic, sessions };
    return links.map((link) => observationOf(link, context));
  }

  #found(): Promise<Whose> {
    const { daemon, sessions } = this.#options;
    return findLinks({ client: daemon.client, sessions, sentBy: this.#policies.sentBy() });
  }

  /** While nothing is sent to a peer, it is not established: what could be sent may come before the other end is ready. */
  #known(): Whose {
    const links = Array.from(this.#links.values(), (link): ObservedLink => {
      const way = this.#ways.get(link.node);
      const reqids = way === undefined ? [] : link.slots.map(({ reqid }) => reqid);
      return { publicKey: link.publicKey, reqids, sentBy: way?.reqid, lifetime: link.lifetime };
    });
    return { links, locals: this.#locals };
  }

  async #load({ device, desired }: DeviceRequest, outcome: Outcome): Promise<void> {
    const { client } = this.#options.daemon;
    try {
      if (this.#ownKey === undefined) throw new Error('it is not there');
      await this.#connections.loadKey(client, this.#ownKey, desired.privateKey(device.generation));
    } catch (cause) {
      outcome.failed(refused('device', `${this.#name}: its private key`, cause));
      return;
    }
    await this.#connections.load(client, outcome, ({ reqid }, node) => {
      const link = this.#links.get(node);
      // A session is made beside the one that is sent by.
      return reqid === (this.#ways.get(node)?.reqid ?? link?.slots[1].reqid);
    });
  }

  #want({ device, plan, desired }: DeviceRequest): void {
    const settings = this.#options.settings();
    this.#ownKey = publicKeyOf(() => ed25519PublicKey(desired.privateKey(device.generation)));
    if (this.#ownKey === undefined) return;
    const { fwmark } = plan.routing;
    const common = JSON.stringify([device.generation, this.#ownKey, plan.ownAddresses, fwmark, settings]);
    const all = common !== this.#common;
    const { gone, come } = all
      ? { gone: this.#last, come: plan.peers }
      : changedItems(this.#last, plan.peers);
    this.#common = common;
    this.#last = plan.peers;
    this.#locals = new Set<string>(plan.ownAddresses);
    const left = new Set(gone.map(({ node }) => node));
    const before = [...this.#links.values()].filter(({ node }) => left.has(node));
    for (const link of before) this.#unlink(link);
    const taken = (reqid: number, node: string) => (this.#reqids.get(reqid) ?? node) !== node;
    const context = { plan, device, ownKey: this.#ownKey, settings, taken };
    for (const peer of come) {
      const link = linkOf(peer, context);
      if (link !== undefined) this.#link(link);
    }
    for (const node of this.#ways.keys()) if (!this.#links.has(node)) this.#ways.delete(node);
  }

  #link(link: WantedLink): void {
    this.#links.set(link.node, link);
    for (const { reqid } of link.slots) this.#reqids.set(reqid, link.node);
    this.#connections.want(link);
    if (this.#policiesRead) this.#adopt(link);
    else this.#policies.want(link, undefined);
  }

  /** The way that is in the kernel, by whichever agent, until a better is found. */
  #adopt(link: WantedLink): void {
    const before = this.#ways.get(link.node);
    const kept = link.slots.some(({ reqid }) => reqid === before?.reqid);
    const way = kept ? before : this.#policies.wayOf(link);
    if (way === undefined) this.#ways.delete(link.node);
    else this.#ways.set(link.node, way);
    this.#policies.want(link, way);
  }

  async #use(ways: ReadonlyMap<WantedLink, Way>): Promise<void> {
    if (this.#ended) return;
    for (const [link, way] of ways) {
      if (this.#links.get(link.node) !== link) continue;
      this.#ways.set(link.node, way);
      this.#policies.want(link, way);
    }
    await this.#policies.add(new Outcome());
  }

  #unlink(link: WantedLink): void {
    this.#policies.unwant(link, this.#ways.get(link.node));
    this.#links.delete(link.node);
    for (const { reqid } of link.slots) this.#reqids.delete(reqid);
    this.#connections.unwant(link);
  }
}

/** Why there is none is told where it is loaded. */
function publicKeyOf(read: () => PublicKey): PublicKey | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
