/**
 * One life of an agent: the real Mesher, KernelLoop and Publisher on a modelled kernel, disk and API server. Killed, it does nothing
 * more: what it waited for never comes.
 */
import { Keyring } from '../../keys/keyring.ts';
import type { MeshConfig } from '../../mesh/types.ts';
import { KernelLoop } from '../../operator/agent/kernel-loop.ts';
import type { LiveConfig } from '../../operator/agent/live.ts';
import { Mesher } from '../../operator/agent/mesher.ts';
import { lookIn, Progress, REST } from '../../operator/agent/pace.ts';
import { Publisher } from '../../operator/agent/publisher.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { ReachedAddresses } from '../../operator/kube/reached.ts';
import { NodeRecords } from '../../operator/records/nodes.ts';
import type { RecordsChange } from '../../operator/records/source.ts';
import { formatStance } from '../../operator/records/stance.ts';
import type { Wish } from './api.ts';
import { modelClient, NEVER } from './client.ts';
import { ModelDataplane } from './dataplane.ts';
import { FOLDER } from './disk.ts';
import { configOf } from './live.ts';
import type { Machine } from './machine.ts';
import { Publishing } from './publishing.ts';
import { followWishes, onFault } from './wishes.ts';

const DISK_AFTER = 3_000;

export class SimulatedAgent {
  readonly machine: Machine;
  readonly records: NodeRecords;
  readonly #client: KubeClient;
  readonly mesher: Mesher;
  readonly kernelLoop: KernelLoop;
  readonly #publishing: Publishing;
  readonly #dataplane: ModelDataplane;
  readonly #progress = new Progress();
  #config: LiveConfig;
  readonly #killed = new AbortController();
  #diskWillDo = false;
  #dirty: ReadonlySet<'turn' | 'look'> = new Set();
  #working = false;
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(machine: Machine, base: MeshConfig) {
    this.machine = machine;
    const { disk, kernel, clock } = machine;
    const keyring = Keyring.open(FOLDER, { now: () => clock.now(), files: disk.keys, owner: 0 });
    this.#config =
      disk.config ??
      configOf(
        base,
        { encryption: 'none', mode: 'permissive', generation: 1, passOver: [], version: 0 },
        'nothing',
      );
    this.#base = base;
    const client = modelClient({ api: machine.api, node: machine.name, alive: () => this.alive });
    this.#client = client;
    this.records = new NodeRecords({
      client,
      self: machine.name,
      clock,
      random: machine.random,
      kept: disk.knowledge,
      onTrouble: (error) => error !== undefined && this.#apiAway(),
      onFault,
    });
    this.#dataplane = new ModelDataplane({
      kernel,
      step: async () => {
        machine.moves();
        await this.#io(1, 8);
      },
      wait: () => this.#io(1, 3),
      publicKey: ({ generation, driver }) => {
        const key = keyring.get(generation, driver);
        if (key === undefined)
          throw new Error(`${machine.name} has no key of generation ${generation} (${driver})`);
        return key.publicKey;
      },
    });
    this.kernelLoop = new KernelLoop({
      dataplane: this.#dataplane,
      clock,
      privateKey: () => {
        throw new Error('not asked for');
      },
      onPeer: () => this.#progress.made(clock.now()),
    });
    const publisher = new Publisher({ client, node: machine.name, clock, onPublished: () => {} });
    this.mesher = new Mesher({
      live: () => this.#config,
      client,
      reached: new ReachedAddresses(),
      records: this.records,
      keyring,
      kernel: this.kernelLoop,
      publisher,
      clock,
      observe: () => this.#dataplane.observe(),
      kept: disk.knowledge,
      keptStance: disk.stance,
      keep: async (stance) => {
        await this.#io(1, 5);
        disk.stanceText = formatStance(stance);
        await this.#io(0, 1);
      },
      onClockBehind: () => {},
    });
    keyring.touch(clock.now());
    this.#touch = () => keyring.touch(clock.now());
    this.#publishing = new Publishing({
      machine,
      mesher: this.mesher,
      records: this.records,
      publisher,
      alive: () => this.alive,
      turnDue: () => this.add('turn'),
    });
  }

  readonly #base: MeshConfig;
  readonly #touch: () => void;

  async start(): Promise<void> {
    const { time } = this.machine;
    if (this.mesher.firstDoor !== undefined) await this.#dataplane.shut();
    this.machine.started();
    const { signal } = this.#killed;
    void this.records.run((what) => this.#learned(what), signal);
    const { clock, random } = this.machine;
    void followWishes({ client: this.#client, clock, random, follow: (wish) => this.#follow(wish) }, signal);
    time.after(DISK_AFTER, () => this.#apiAway());
    this.#every(60_000, () => this.#touch());
    this.#every(5_000, () => this.#save());
  }

  kill(): void {
    this.#killed.abort();
  }

  get alive(): boolean {
    return !this.#killed.signal.aborted;
  }

  get config(): LiveConfig {
    return this.#config;
  }

  add(key: 'turn' | 'look'): void {
    this.#dirty = new Set([...this.#dirty, key]);
    if (!this.#working && this.alive) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let [key] = this.#dirty; key !== undefined && this.alive; [key] = this.#dirty) {
      this.#dirty = new Set([...this.#dirty].filter((one) => one !== key));
      await (key === 'turn' ? this.#turn() : this.#look());
    }
    this.#working = false;
  }

  /** As `Agent` does. */
  async #turn(): Promise<void> {
    const { source } = this.records.status();
    const { basis } = this.#config;
    if (source === 'none' || (source === 'disk' && !this.#diskWillDo)) return;
    if (basis === 'nothing' || (basis !== 'api' && !this.#diskWillDo)) return;
    const outcome = await this.mesher.turn();
    if (outcome === undefined) return;
    void this.#publishing.go();
    const { clock } = this.machine;
    const waits = [REST, ...outcome.report.pending.map(({ retryAfter }) => retryAfter)];
    if (outcome.nextAt !== undefined) waits.push(Math.max(0, outcome.nextAt - clock.now()));
    this.#later('turn', Math.min(...waits));
    this.#lookLater();
  }

  async #look(): Promise<void> {
    if (await this.kernelLoop.look()) this.add('turn');
    else this.#lookLater();
  }

  #lookLater(): void {
    const wait = lookIn(this.#progress.since(this.machine.clock.now()), 1);
    if (wait < REST && this.kernelLoop.waits)
      this.machine.time.after(wait, () => this.alive && this.add('look'));
  }

  #later(key: 'turn', ms: number): void {
    const at = this.machine.time.now() + ms;
    if (this.#dueAt <= at && this.#dueAt > this.machine.time.now()) return;
    this.#dueAt = at;
    this.machine.time.after(ms, () => {
      if (this.#dueAt === at) this.#dueAt = Number.POSITIVE_INFINITY;
      this.add(key);
    });
  }

  #apiAway(): void {
    if (this.#diskWillDo) return;
    this.#diskWillDo = true;
    this.add('turn');
  }

  #learned(what: RecordsChange): void {
    if (what === 'own') this.#own();
    if (what === 'records') this.#progress.made(this.machine.clock.now());
    void this.#publishing.go();
    if (what !== 'connection') this.add('turn');
  }

  #follow(wish: Wish): void {
    this.#config = configOf(this.#base, wish, 'api');
    this.machine.disk.config = { ...this.#config, basis: 'disk' };
    this.add('turn');
  }

  #own(): void {
    const view = this.records.own();
    const { name, prefix, address } = this.machine;
    if (view.state !== 'present' || this.mesher.own?.uid === view.metadata.uid) return;
    const { uid, creationTimestamp } = view.metadata;
    this.mesher.own = { name, uid, creationTimestamp, podCIDRs: [prefix], addresses: [address] };
  }

  #save(): void {
    const { own, evidence } = this.mesher;
    const kept = this.records.kept();
    if (own === undefined || kept === undefined || this.records.status().source !== 'api') return;
    this.machine.disk.knowledge = { own, evidence, ...kept };
  }

  #every(ms: number, work: () => void): void {
    this.machine.time.after(ms, () => {
      if (!this.alive) return;
      work();
      this.#every(ms, work);
    });
  }

  async #io(from: number, to: number): Promise<void> {
    await this.machine.time.sleep(from + this.machine.random() * (to - from));
    if (!this.alive) await NEVER;
  }
}
