/** A bad record of every kind, all at once, among 200 Nodes. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ApiTarget } from '../../../lab/api-client.ts';
import { nodeNamed } from '../../../lab/nodes/agents.ts';
import type { ProblemCode } from '../../../mesh/types.ts';
import type { AgentStatus } from '../../../operator/status.ts';
import {
  type Annotations,
  badRecords,
  goodRecord,
  type Honest,
  type Scene,
  toldCodes,
} from '../../operator/bad-records.ts';
import { annotateNode, apiTarget } from '../../support/nodes.ts';
import {
  type Crowd,
  deleteNodes,
  disperse,
  gather,
  inTurn,
  type Member,
  member,
  writeNodes,
} from './crowd.ts';
import { type Held, heldBy, isAbout, watchKernel } from './held.ts';
import { assertEncrypted, assertNoneLost, type Mesh } from './mesh.ts';

const NODES = 200;
/** Milliseconds. */
const SETTLED_WITHIN = 20_000;
const AGENTS = ['n1', 'n2', 'n3'] as const;

interface Bad extends Member {
  readonly annotations: Annotations;
  readonly codes: readonly ProblemCode[];
}

export async function withBadRecords(mesh: Mesh): Promise<void> {
  const agents = await Promise.all(AGENTS.map((name) => honestAgent(mesh, name)));
  const { bad, members } = castOf(mesh, agents);
  const { topology, folder } = mesh.lab;
  const target = await apiTarget(mesh.server.kubeconfigPath);
  const alone = await heldByAll(mesh);
  const crowd: Crowd = { topology, netns: `sheath.${topology.name}.crowd`, folder, members, agents };
  await gather(crowd);
  const leave = await mesh.view.answer(crowd);
  try {
    await writeNodes(members, `${folder}/crowd.json`);
    await mesh.kubectl('create', '-f', `${folder}/crowd.json`);
    await mesh.until(isWhole);
    await turnBad(mesh, { target, bad });
  } finally {
    await deleteNodes(target);
  }
  await mesh.until(({ state, peers }) => state === 'encrypted' && peers.length === AGENTS.length - 1);
  await assertHeldSoon(mesh, alone, 'as if there had never been any');
  await leave();
  await disperse(crowd);
}

/** And good again. */
async function turnBad(
  mesh: Mesh,
  { target, bad }: { readonly target: ApiTarget; readonly bad: readonly Bad[] },
): Promise<void> {
  const before = await heldByAll(mesh);
  const measured = await mesh.measure({ rate: 50 }, async () => {
    const monitors = await Promise.all(AGENTS.map((name) => watchKernel(nodeNamed(mesh.lab, name).netns)));
    await inTurn(bad, ({ name, annotations }) => annotateNode(target, name, annotations));
    await untilTold(mesh, bad);
    assertOthersUntouched({ before, now: await heldByAll(mesh), bad });
    await assertNamed(mesh, bad);
    await inTurn(bad, (each) => annotateNode(target, each.name, goodRecord(each)));
    await mesh.until(isWhole);
    for (const stop of monitors) {
      const others = (await stop()).filter((line) => !isAbout(bad)(line));
      assert.deepEqual(others, [], 'nothing else was written');
    }
  });
  assertNoneLost(measured);
  assertEncrypted(measured);
  await assertHeldSoon(mesh, before, 'all is as before');
}

async function honestAgent(mesh: Mesh, name: string): Promise<Honest> {
  const { addresses, podCIDRs } = nodeNamed(mesh.lab, name);
  const [prefix = '', prefix6 = ''] = podCIDRs;
  const publicKey = await mesh.view.publicKey(mesh, name);
  const driver = mesh.view.encryption;
  return {
    ...{ name, generation: 1, driver, publicKey, port: 51831 },
    ...{ prefix, prefix6, address: addresses[0] ?? '' },
  };
}

/** The bad ones are younger than the agents' Nodes, and older than the others. */
function castOf(
  { view }: Mesh,
  [self, older]: readonly Honest[],
): { readonly bad: readonly Bad[]; readonly members: readonly Member[] } {
  const made = (i: number, name: string) => member(i, name, view.keys());
  assert.ok(self && older);
  const others = NODES - AGENTS.length;
  const last = made(others, `peer-${others}`);
  const scene = { self, older, younger: last, around: '10.245.0.0/16' };
  const kinds = badRecords({ ...scene, own: last } satisfies Scene);
  const bad = kinds.map(({ name }, at): Bad => {
    const own = made(at + 1, `odd-${name}`);
    const { annotations = {}, codes = [] } = badRecords({ ...scene, own })[at] ?? {};
    return { ...own, annotations, codes };
  });
  assert.ok(bad.length < others / 2, 'most are good');
  const good = Array.from({ length: others - bad.length - 1 }, (_, at) => {
    const i = bad.length + 1 + at;
    return made(i, `peer-${i}`);
  });
  return { bad, members: [...bad, ...good, last] };
}

type HeldByAll = Readonly<Record<(typeof AGENTS)[number], Held>>;

async function heldByAll(mesh: Mesh): Promise<HeldByAll> {
  const [n1, n2, n3] = [await heldBy(mesh, 'n1'), await heldBy(mesh, 'n2'), await heldBy(mesh, 'n3')];
  return { n1, n2, n3 };
}

function itemsOf(held: HeldByAll): readonly (readonly string[])[] {
  return AGENTS.map((name) => held[name].items);
}

/** Status follows the records at once; the kernel, when many change, a turn later. */
async function assertHeldSoon(mesh: Mesh, wanted: HeldByAll, what: string): Promise<void> {
  const deadline = performance.now() + SETTLED_WITHIN;
  let held = await heldByAll(mesh);
  while (!isDeepStrictEqual(itemsOf(held), itemsOf(wanted)) && performance.now() < deadline) {
    await sleep(200);
    held = await heldByAll(mesh);
  }
  assert.deepEqual(itemsOf(held), itemsOf(wanted), what);
}

/** On every node; whose codes are others than expected is in the error. */
async function untilTold(mesh: Mesh, bad: readonly Bad[]): Promise<void> {
  const differing = new Map<string, readonly string[]>();
  try {
    await mesh.until((status) => {
      const others = bad.filter((each) => !isTold(each, status));
      differing.set(
        status.node,
        others.map((each) => `${each.name}: ${told(each.name, status).join()} for ${each.codes.join()}`),
      );
      return others.length === 0;
    });
  } catch (cause) {
    throw new Error(`not told as expected: ${JSON.stringify([...differing])}`, { cause });
  }
}

/** Everybody is routed, and nothing refused. */
function isWhole({ peers, refused }: AgentStatus): boolean {
  return refused.length === 0 && peers.length === NODES - 1 && peers.every(({ state }) => state === 'routed');
}

function isTold({ name, codes }: Bad, status: AgentStatus): boolean {
  const judgedBy = status.node === 'n1' ? (code: ProblemCode) => code : anyones;
  return isDeepStrictEqual(told(name, status).map(judgedBy), codes.map(judgedBy));
}

/** What is the own key to one is another's to all others; and an address of n1 may be where they reached the API server. */
function anyones(code: ProblemCode): string {
  return code.replace(/^PREFIX_INVALID$/, 'PREFIX').replace(/_(?:OWN|CLAIMED)$/, '');
}

function told(name: string, { peers, refused }: AgentStatus): readonly ProblemCode[] {
  const reason = peers.find(({ node, state }) => node === name && state !== 'routed')?.reason;
  return toldCodes([...refused.filter(({ node }) => node === name), ...(reason ? [reason] : [])].map(codeOf));
}

function codeOf({ code }: { readonly code: ProblemCode }): ProblemCode {
  return code;
}

/** The bad ones hold no more than before, and all others the very same. */
function assertOthersUntouched({
  before,
  now,
  bad,
}: {
  readonly before: HeldByAll;
  readonly now: HeldByAll;
  readonly bad: readonly Bad[];
}): void {
  const isBad = isAbout(bad);
  for (const name of AGENTS) {
    const [then, present] = [before[name], now[name]];
    const good = ({ items }: Held): readonly string[] => items.filter((item) => !isBad(item));
    assert.deepEqual(good(present), good(then), `${name}: allowed IPs, routes and rules of the others`);
    const more = present.items.filter((item) => !then.items.includes(item));
    assert.deepEqual(more, [], `${name}: a bad one got more than it had`);
    const anew = [...then.received].filter(
      ([key, received]) => !isBad(key) && (present.received.get(key) ?? -1) < received,
    );
    assert.deepEqual(anew, [], `${name}: no peer was made anew`);
  }
}

/** By the program, with each code, and nobody else is. */
async function assertNamed(mesh: Mesh, bad: readonly Bad[]): Promise<void> {
  const text = await mesh.on('n1', 'sheath status -o wide || echo "exit $?"');
  assert.match(text, /^NOT all encrypted: n1 to \d+ of 199 peers/);
  assert.match(text, /^exit 1$/m);
  const entries = [...text.replace(/\n {6}/g, ' ').matchAll(/^ {2}(\S+): (.*)$/gm)]
    .map(([, who = '', what = '']) => ({ who, what }))
    .filter(({ who }) => who !== 'note');
  // Who offers, besides, a driver of a newer version is well.
  const { peers } = await mesh.status('n1');
  const routed = new Set(peers.flatMap(({ node, state }) => (state === 'routed' ? [node] : [])));
  const wrong = bad.filter(({ name, codes }) => !(routed.has(name) && codes.join() === 'DRIVER_UNKNOWN'));
  assert.deepEqual(
    [...new Set(entries.map(({ who }) => who))].sort(),
    wrong.map(({ name }) => name).sort(),
    'exactly the bad ones are named',
  );
  for (const { name, codes } of wrong) {
    const lines = entries.filter(({ who }) => who === name).map(({ what }) => what);
    const codesTold = lines.map((line) => /\(([A-Z_]+)(?:, for \w+)?\)$/.exec(line)?.[1] ?? 'no code');
    assert.deepEqual([...new Set(codesTold)].sort(), codes, `${name}: ${lines.join('; ')}`);
  }
}
