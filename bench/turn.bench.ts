/** The pure parts of a turn in which one Node joins: parse its record, plan, judge the peers, initiate, plan the routes. */
import { initiations } from '../mesh/handshakes.ts';
import { plan } from '../mesh/plan.ts';
import { parseRecord } from '../mesh/record.ts';
import { planRoutes } from '../mesh/routes.ts';
import { peerStatuses } from '../mesh/status.ts';
import type { DeviceName, MeshPlan, NodeRecord, Observation, PeerStatus } from '../mesh/types.ts';
import { config, metadataOf, records, SELF } from './cluster.ts';
import { median, row } from './rows.ts';

const TURNS = 40;
const START = 1e12;
const evidence = { nodes: new Map(), keyHolders: new Map(), endpointHolders: new Map() };
const deviceMtu = new Map<DeviceName, number>([['sheath1', 1420]]);

const all = Array.from({ length: 5000 }, (_, index) => metadataOf(SELF + 1 + index));
const turns = new Map<number, number>();
for (const count of [500, 5000]) {
  const where = `${count} nodes`;
  const parsing = Array.from({ length: 10 }, () => timed(() => parseAll(count)));
  row({ what: 'parse all records', where, value: median(parsing), unit: 'ms' });
  const { planned, whole } = measure(count);
  row({ what: 'one joins: plan()', where, value: median(planned), unit: 'ms' });
  row({ what: 'one joins: all that is pure', where, value: median(whole), unit: 'ms' });
  turns.set(count, median(whole));
}
const ratio = (turns.get(5000) ?? Number.NaN) / (turns.get(500) ?? Number.NaN);
row({ what: 'one joins: pure parts at 5000 : at 500', where: '', value: ratio, unit: 'x' });

function parseAll(count: number): readonly NodeRecord[] {
  return all.slice(0, count).map(parseRecord);
}

function measure(count: number): { planned: number[]; whole: number[] } {
  const { self, others } = records(count);
  let statuses: ReadonlyMap<string, PeerStatus> = new Map();
  let mesh = plan({ self, records: others, config, evidence });
  const [planned, whole]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const observations = mesh.peers.map((peer) => observationOf(peer, turn));
    const routed = new Map(mesh.peers.map(({ node, links }) => [node, links.at(-1)?.generation ?? 0]));
    others.push(parseRecord(metadataOf(SELF + 1 + count + turn)));
    const now = START + turn * 10_000;
    const work = (): void => {
      const began = performance.now();
      mesh = plan({ self, records: others, config, evidence });
      planned.push(performance.now() - began);
      statuses = peerStatuses({ plan: mesh, previous: statuses, observations, routed, deviceMtu, now });
      initiations({ plan: mesh, statuses, attempts: new Map(), now });
      planRoutes(mesh, statuses);
    };
    whole.push(timed(work));
  }
  return { planned, whole };
}

/** A peer that answers: both counters grow from turn to turn. */
function observationOf({ endpoint, links }: MeshPlan['peers'][number], turn: number): Observation {
  const link = links.at(-1);
  if (link === undefined) throw new Error('a peer without a link');
  const { device, generation, publicKey, port } = link;
  const bytes = (turn + 1) * 1000;
  return {
    device,
    generation,
    publicKey,
    endpoint: { address: endpoint, port },
    lastHandshake: START,
    receivedBytes: bytes,
    sentBytes: bytes,
  };
}

function timed(work: () => unknown): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}
