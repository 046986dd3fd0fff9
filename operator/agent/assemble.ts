/** Puts the agent together from its parts. Does nothing yet but read the disk. */
import type { Logger } from 'pino';
import type { Keyring } from '../../keys/keyring.ts';
import type { Dataplane } from '../../tunnels/dataplane.ts';
import type { Clock } from '../clock.ts';
import { createMetrics, type Metrics } from '../http/metrics.ts';
import type { KubeClient } from '../kube/client.ts';
import { EventWriter } from '../kube/events.ts';
import type { ReachedAddresses } from '../kube/reached.ts';
import { PrefixesBehind } from '../prefixes/own.ts';
import { type Knowledge, loadKnowledge, saveKnowledge, touchKnowledge } from '../records/disk.ts';
import { NodeRecords } from '../records/nodes.ts';
import { loadStance, saveStance } from '../records/stance.ts';
import type { ResourceFollower } from '../resource/follow.ts';
import { Agent } from './agent.ts';
import type { Configuration } from './configuration.ts';
import { Events } from './events.ts';
import { KernelLoop } from './kernel-loop.ts';
import type { Live } from './live.ts';
import { Mesher } from './mesher.ts';
import { Narrator } from './narrator.ts';
import { tellingOnNode } from './node-events.ts';
import { ownAnnotations } from './own-node.ts';
import { PolicyWatch } from './policy-watch.ts';
import { Problems } from './problems.ts';
import { Publisher } from './publisher.ts';
import type { AgentOptions } from './run.ts';
import { StatusView } from './status.ts';

export interface Ingredients {
  readonly options: AgentOptions;
  readonly configuration: Configuration;
  readonly client: KubeClient;
  readonly reached: ReachedAddresses;
  readonly keyring: Keyring;
  readonly dataplane: Dataplane;
  readonly log: Logger;
  readonly clock: Clock;
}

export interface Assembled {
  readonly agent: Agent;
  readonly view: StatusView;
  readonly events: Events;
  /** On our own Node, in the cluster. */
  readonly nodeEvents: EventWriter;
  readonly metrics: Metrics;
  readonly mesher: Mesher;
  readonly kernel: KernelLoop;
  readonly publisher: Publisher;
  readonly records: NodeRecords;
  readonly follower: ResourceFollower;
  readonly policy: PolicyWatch;
  readonly live: Live;
  readonly clock: Clock;
}

/** @throws OperatorError `STATE_DIR_UNREADABLE` */
export async function assemble(ingredients: Ingredients): Promise<Assembled> {
  const { options, configuration, client, reached, keyring, dataplane, log, clock } = ingredients;
  const { nodeName, stateDir, version } = options;
  const live = () => configuration.live();
  const random = options.random ?? Math.random;
  const kept = await keptKnowledge(ingredients);
  const keptStance = await loadStance(stateDir, (path, error) =>
    log.warn(
      { event: 'stance', path, err: error },
      `${path} is damaged: our own Node tells what we promised`,
    ),
  );
  for (const address of kept?.reserved ?? []) reached.see(address);
  const nodeEvents = new EventWriter({
    client,
    component: 'sheath-agent',
    instance: nodeName,
    clock,
    random,
    onTrouble: (error) => log.debug({ event: 'events', err: error }, 'an Event was not written'),
  });
  const own = () => mesher.own;
  const problems = new Problems(clock, tellingOnNode({ log, events: nodeEvents, own, clock, random }));
  const events = new Events();
  const metrics = createMetrics(() => view.status());
  const narrator = new Narrator({
    log,
    clock,
    problems,
    events,
    count: metrics,
    status: () => view.status(),
    refused: () => mesher.plan?.refused ?? [],
    stuck: () => mesher.problems,
  });
  const kernel = new KernelLoop({
    dataplane,
    clock,
    privateKey(generation) {
      const held = mesher.generations.find(({ number }) => number === generation);
      if (held === undefined) throw new Error(`no key of generation ${generation}`);
      return held.key.privateKey;
    },
    onPeer(peer, previous) {
      agent.progress();
      narrator.peer(peer, previous);
    },
  });
  const publisher = new Publisher({
    client,
    node: nodeName,
    clock,
    ours: () => ownAnnotations(live().config.mesh.prefixSource),
    onPublished: (changes) => narrator.wrote(changes),
  });
  const records = new NodeRecords({
    client,
    self: nodeName,
    clock,
    random,
    kept,
    onTrouble(error) {
      narrator.connection(error);
      if (error !== undefined) agent.apiAway();
    },
    onFault: (error) => log.error({ event: 'fault', err: error }, 'a record could not be taken in'),
  });
  const mesher = new Mesher({
    live,
    client,
    reached,
    records,
    keyring,
    kernel,
    publisher,
    clock,
    observe: () => dataplane.observe(),
    kept,
    keptStance,
    keep: (stance) => saveStance(stateDir, stance),
    onClockBehind: (behind, generations) =>
      log.warn(
        { event: 'clock', behindSeconds: Math.round(behind / 1000), generations },
        'the clock is behind the last time that is known: took fresh keys, for peers refuse handshakes of the past',
      ),
  });
  const prefixes = new PrefixesBehind({
    client,
    node: nodeName,
    records,
    source: () => live().config.mesh.prefixSource,
    former: kept?.own.claimed ?? [],
    clock,
    random,
    onChange: () => agent.prefixesChanged(),
    onTrouble: (error) => narrator.podsUnknown(error),
    onFault: (error) => log.error({ event: 'fault', err: error }, 'a pod could not be taken in'),
  });
  const agent = new Agent({
    node: nodeName,
    live,
    prefixes,
    mesher,
    kernel,
    publisher,
    records,
    client,
    dataplane,
    narrator,
    clock,
    random,
    log,
    async save() {
      const known = knowledge(mesher, records);
      if (known !== undefined) await saveKnowledge(stateDir, known);
    },
    async touch(now) {
      keyring.touch(now);
      void configuration.examineAgain().then((moved) => moved && agent.configChanged());
      await touchKnowledge(stateDir, now);
    },
  });
  configuration.labels = () => mesher.own?.labels;
  const follower = configuration.follower({
    client,
    clock,
    random,
    onChange: () => agent.configChanged(),
    onProblems(found) {
      problems.found('resource', found);
      narrator.statusMoved();
    },
  });
  const policy = new PolicyWatch({ client, clock, random });
  const view = new StatusView({
    node: nodeName,
    version,
    live,
    resource: () => configuration.status,
    policy: () => policy.state,
    mesher,
    kernel,
    publisher,
    records,
    problems,
    clock,
    turned: () => agent.turned,
  });
  return {
    agent,
    view,
    events,
    nodeEvents,
    metrics,
    mesher,
    kernel,
    publisher,
    records,
    follower,
    policy,
    live,
    clock,
  };
}

/** What another Node of this name left on disk is of no use to us. */
async function keptKnowledge({ options, log }: Ingredients): Promise<Knowledge | undefined> {
  const kept = await loadKnowledge(options.stateDir, (path, error) =>
    log.warn({ event: 'records', path, err: error }, `${path} is damaged: begin without it`),
  );
  return kept?.own.name === options.nodeName ? kept : undefined;
}

function knowledge({ own, evidence, reserved }: Mesher, records: NodeRecords): Knowledge | undefined {
  const kept = records.kept();
  if (own === undefined || kept === undefined) return undefined;
  return { ...kept, own, evidence, reserved };
}
