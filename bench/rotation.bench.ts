// kernel bench
/** A rotation of a mesh of 1000: 999 simulated nodes that answer handshakes, and one real agent. */
import { setTimeout as sleep } from 'node:timers/promises';
import { apiTarget } from '../lab/api-client.ts';
import { createNode, getNode } from '../lab/node-objects.ts';
import { startKubeApiserver } from '../test/support/kube-apiserver.ts';
import { AgentProcess } from './agent-process.ts';
import { createNodes } from './api.ts';
import { addressesOf, nodeName, prefixesOf, SELF } from './cluster.ts';
import { CountingProxy } from './counting-proxy.ts';
import { sh } from './machine.ts';
import { installMesh, setSpec } from './mesh-resource.ts';
import { SimulatedNodes, WRITES } from './rotation-nodes.ts';
import { row } from './rows.ts';

const COUNT = Number(process.env.ROTATION_COUNT ?? 1000);
const DRAIN = 30;
/** Steps in which each node writes: published, switched, withdrawn. */
const STEPS = 3;
const NETNS = 'peers';
const where = `${COUNT} nodes`;
const [address] = addressesOf(SELF);

/** The others live behind a link of their own, all addresses of the network at once. */
function addPeers(): void {
  sh(`ip netns add ${NETNS}
      ip link add underlay type veth peer name underlay netns ${NETNS}
      ip address add ${address}/32 dev underlay
      ip address add 10.255.0.1/30 dev underlay
      ip link set underlay mtu 1500 up
      ip route add 10.0.0.0/16 via 10.255.0.2
      ip netns exec ${NETNS} sysctl -qw net.ipv6.conf.default.disable_ipv6=1
      ip -n ${NETNS} link set lo up
      ip -n ${NETNS} address add 10.255.0.2/30 dev underlay
      ip -n ${NETNS} link set underlay mtu 1500 up
      ip -n ${NETNS} route add local 10.0.0.0/16 dev lo
      ip -n ${NETNS} route add unicast ${address} via 10.255.0.1 dev underlay table local`);
}

addPeers();
const api = await startKubeApiserver({ patience: 300_000 });
const target = await apiTarget(api.kubeconfigPath);
const stop = new AbortController();
const proxy = await CountingProxy.open(api.kubeconfigPath, stop.signal);
const others = Array.from({ length: COUNT - 1 }, (_, index) => SELF + 1 + index);
const nodes = new SimulatedNodes(target, others, NETNS);
try {
  await installMesh(target, { encryption: 'wireguard', generation: 1, rotation: { drain: `${DRAIN}s` } });
  for (const generation of [1, 2]) await nodes.prepare(generation);
  await createNodes(target, SELF + 1, SELF + COUNT);
  await createNode(target, { name: nodeName(SELF), podCIDRs: prefixesOf(SELF), addresses: [address] });
  await nodes.step([1], [1]);
  const agent = new AgentProcess(proxy.kubeconfig);
  const generation = 1;
  await nodes.meet(generation, await keyOf(generation));
  await untilAgent('sends on generation 1 alone', (says) => says.sending === '1');
  await sleep(20_000);
  await rotate(agent);
  await agent.stop();
} finally {
  nodes.close();
  stop.abort();
  await api.stop();
}
process.exit();

async function rotate(agent: AgentProcess): Promise<void> {
  const counting = new AbortController();
  const writes = countWrites(counting.signal);
  const [cpu, bytes, began, before] = [agent.cpu(), proxy.bytes, performance.now(), nodes.writes];
  await setSpec(target, { generation: 2 });
  const met = keyOf(2).then((key) => nodes.meet(2, key));
  await nodes.step([1, 2], [1, 2]);
  await met;
  await nodes.step([1, 2], [2]);
  await untilAgent('sends on generation 2 alone', (says) => says.sending === '2');
  const switched = performance.now();
  await sleep(DRAIN * 1000);
  await nodes.step([2], [2]);
  await untilAgent('holds generation 2 alone', (says) => says.held.length === 1);
  const wall = (performance.now() - began) / 1000;
  // What the last withdrawals set off.
  await sleep(5000);
  counting.abort();
  const enforced = (STEPS * COUNT) / WRITES + DRAIN;
  row({ what: 'rotation: wall time', where, value: wall, unit: 's' });
  row({ what: 'rotation: enforced waits (pace, drain)', where, value: enforced, unit: 's' });
  row({
    what: 'rotation: to the last packet on the old',
    where,
    value: (switched - began) / 1000,
    unit: 's',
  });
  row({ what: 'rotation: CPU of the agent', where, value: agent.cpu() - cpu, unit: 'CPU s' });
  row({ what: 'rotation: API bytes to the agent', where, value: (proxy.bytes - bytes) / 1024, unit: 'KiB' });
  row({
    what: 'rotation: writes of the agent to its Node',
    where,
    value: await writes,
    unit: 'writes',
    mark: { atMost: 3 },
  });
  const each = (nodes.writes - before) / others.length;
  row({ what: 'rotation: writes of each simulated node', where, value: each, unit: 'writes' });
  row({ what: 'rotation: VmRSS of the agent after it', where, value: agent.memory(), unit: 'MiB' });
}

interface Said {
  readonly held: readonly { readonly generation: number; readonly publicKey: string }[];
  readonly sending: string;
  readonly version: string;
}

async function agentSays(): Promise<Said> {
  const { metadata } = await getNode(target, nodeName(SELF));
  const { 'sheath.dev/generations': generations = '[]', 'sheath.dev/sending': sending = '' } =
    metadata.annotations ?? {};
  return { held: JSON.parse(generations) as Said['held'], sending, version: metadata.resourceVersion };
}

/** @throws Error after five minutes */
async function untilAgent(what: string, good: (says: Said) => boolean): Promise<Said> {
  const deadline = performance.now() + 300_000;
  for (;;) {
    const says = await agentSays();
    if (good(says)) return says;
    if (performance.now() > deadline) throw new Error(`the agent never ${what}: ${JSON.stringify(says)}`);
    await sleep(100);
  }
}

async function keyOf(generation: number): Promise<string> {
  const has = ({ held }: Said) => held.find((one) => one.generation === generation);
  const says = await untilAgent(`publishes generation ${generation}`, (said) => has(said) !== undefined);
  return has(says)?.publicKey ?? '';
}

/** Nobody else writes that Node, and its agent at most once a second. */
async function countWrites(signal: AbortSignal): Promise<number> {
  const versions = new Set<string>();
  while (!signal.aborted) {
    versions.add((await agentSays()).version);
    await sleep(100);
  }
  return versions.size - 1;
}
