/** Faults on real parts. Each is over when its function resolves. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Keyring, type KeyringEntry } from '../../../keys/keyring.ts';
import { bindIn } from '../../../lab/namespace-sockets.ts';
import { nodeNamed } from '../../../lab/nodes/agents.ts';
import { apiPid, startApi, stopApi } from '../../../lab/nodes/api.ts';
import { type Lab, nodeFolders } from '../../../lab/nodes/folder.ts';
import { killNode, runInNode, startNode } from '../../../lab/nodes/lab.ts';
import { cutOff } from '../../../lab/nodes/network.ts';
import { API_PORT } from '../../../lab/nodes/topology.ts';
import { run } from '../../../lab/processes.ts';
import { keysFolder } from '../../../operator/agent/folders.ts';
import { initiation } from './initiation.ts';
import { type Fault, lanes } from './schedule.ts';

const HOUR = 3_600_000;
const PORT = 51_830;
/** Milliseconds. */
const ANSWER_WITHIN = 2000;

/** Resolves when all of it is over. @param rebooted told of a node that came back, as soon as its agent was started */
export async function inject(
  lab: Lab,
  faults: readonly Fault[],
  rebooted: (node: string) => unknown,
): Promise<void> {
  const began = performance.now();
  const inTurn = async (lane: readonly Fault[]): Promise<void> => {
    for (const fault of lane) {
      await sleep(Math.max(0, began + fault.at - performance.now()));
      await happen(lab, fault);
      if (fault.kind.startsWith('node rebooted')) rebooted(fault.node);
    }
  };
  await Promise.all(lanes(faults).map(inTurn));
}

async function happen(lab: Lab, { kind, node, lasts }: Fault): Promise<void> {
  switch (kind) {
    case 'agent killed':
      await killNode(lab, node, 'agent');
      await sleep(lasts);
      return startNode(lab, node);
    case 'charon killed':
      // Whoever looks for it starts it anew: it cannot be kept away.
      return killCharon(lab, node);
    case 'API cut':
      await stopApi(lab);
      await sleep(lasts);
      return startApi(lab);
    case 'API silent':
      return silence(lab, lasts);
    case 'no way to the API':
      await wayToApi(lab, node, false);
      await sleep(lasts);
      return wayToApi(lab, node, true);
    case 'node cut off':
      await cutOff(lab.topology, nodeNamed(lab, node), true);
      await sleep(lasts);
      return cutOff(lab.topology, nodeNamed(lab, node), false);
    case 'node rebooted':
      await killNode(lab, node, 'node');
      await sleep(lasts);
      return startNode(lab, node);
    case 'node rebooted an hour back':
      await livedAhead(lab, node);
      await killNode(lab, node, 'node');
      await sleep(lasts);
      return startNode(lab, node);
  }
}

/** Whatever this node sends there is dropped, without a word. */
async function wayToApi(lab: Lab, node: string, isOpen: boolean): Promise<void> {
  const table = `inet no-api-${node}`;
  const [ipv4 = '', ipv6 = ''] = nodeNamed(lab, node).addresses;
  const drop = [`ip saddr ${ipv4}`, ...(ipv6 === '' ? [] : [`ip6 saddr ${ipv6}`])].map(
    (from) => `${from} tcp dport ${API_PORT} drop`,
  );
  const rules = `table ${table} { chain in { type filter hook input priority 0; ${drop.join('; ')}; }; }`;
  const command = isOpen ? `delete table ${table}` : rules;
  await run(['ip', 'netns', 'exec', lab.topology.wire, 'nft', command]);
}

export async function killCharon(lab: Lab, name: string): Promise<void> {
  const { run } = nodeFolders(lab, name);
  await runInNode(lab, name, ['sh', '-c', `kill -9 "$(cut -d' ' -f1 ${run}/ipsec/charon.pid)"`]).catch(
    // Just now there is none.
    () => undefined,
  );
}

/** Connections stay, and nothing comes: every watch grows stale. */
async function silence(lab: Lab, lasts: number): Promise<void> {
  const pid = await apiPid(lab);
  if (pid === undefined) return;
  process.kill(pid, 'SIGSTOP');
  await sleep(lasts);
  process.kill(pid, 'SIGCONT');
}

/**
 * Leaves everything as if this node had lived with its clock an hour ahead: its disk knows of that time, and its peers saw handshakes of
 * then, so that they refuse those that it begins with its keys now. @returns how many peers answered such a handshake
 */
export async function livedAhead(lab: Lab, name: string): Promise<number> {
  await killNode(lab, name, 'agent');
  const { state } = nodeFolders(lab, name);
  const then = Date.now() + HOUR;
  const keyring = Keyring.open(keysFolder(state));
  keyring.touch(then);
  const answers = await Promise.all(
    keyring
      .list()
      .filter(({ driver }) => driver === 'wireguard')
      .map((key) => greetOthers(lab, name, { key, time: then })),
  );
  return answers.reduce((sum, count) => sum + count, 0);
}

interface Greeting {
  readonly key: KeyringEntry;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** Begins a handshake with every other node, from the port that they know. */
async function greetOthers(lab: Lab, name: string, { key, time }: Greeting): Promise<number> {
  const { generation, privateKey } = key;
  const device = `sheath${generation % 2}`;
  const port = PORT + (generation % 2);
  // The device holds the port.
  await runInNode(lab, name, ['ip', 'link', 'del', device]).catch(() => undefined);
  const [socket] = await bindIn(nodeNamed(lab, name).netns, [{ address: addressOf(lab, name), port }]);
  const answered = new Set<string>();
  socket?.on('error', () => undefined);
  socket?.on('message', (message, { address }) => {
    if (message[0] === 2) answered.add(address);
  });
  let asked = 0;
  for (const { name: other } of lab.topology.members) {
    if (other === name) continue;
    const shown = await runInNode(lab, other, ['wg', 'show', device, 'public-key']).catch(() => '');
    const to = shown.trim();
    if (to === '') continue;
    socket?.send(initiation({ from: privateKey, to, time }), port, addressOf(lab, other));
    asked += 1;
  }
  const deadline = performance.now() + ANSWER_WITHIN;
  while (answered.size < asked && performance.now() < deadline) await sleep(20);
  socket?.close();
  return answered.size;
}

function addressOf(lab: Lab, name: string): string {
  return nodeNamed(lab, name).addresses[0] ?? '';
}
