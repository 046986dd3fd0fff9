/** Namespaces, cables and routes of a lab, by ip(8) in batches. */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { CommandError, run } from '../processes.ts';
import type { LabNode, Topology } from './topology.ts';

const NETNS_FOLDER = '/run/netns';
/** Of prefixes on the underlay and in a node's pod network, by family. */
const LENGTH = { 4: 24, 6: 64 } as const;

export async function createUnderlay(lab: Topology): Promise<void> {
  await addNamespace(lab.wire, []);
  await batch(lab.wire, [
    'link set lo up',
    'link add br0 type bridge mcast_snooping 0',
    ...lab.wireAddresses.map((address) => addressLine(address, 'br0')),
    'link set br0 up',
  ]);
}

/**
 * The node, its cable to the underlay, its pods, and its routes to the other nodes' pods.
 * @param door what its disk has for nft(8) to load before all that (`deploy/sheath-door.service`)
 */
export async function createNodeNetwork(lab: Topology, node: LabNode, door?: string): Promise<void> {
  await addNamespace(node.netns, ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  if (door !== undefined && existsSync(door))
    await run(['ip', 'netns', 'exec', node.netns, 'nft', '-j', '-f', door]);
  await Promise.all(node.pods.map((pod) => addNamespace(pod.netns, [])));
  await batch(lab.wire, [
    // A node that comes back after a power cut has the network card it had: nobody's neighbour cache is wrong about it.
    `link add ${node.name} type veth peer name eth0 address ${cardOf(node)} netns ${node.netns}`,
    `link set ${node.name} master br0 up`,
  ]);
  await batch(node.netns, nodeLines(lab, node));
  await Promise.all(
    node.pods.map((pod) =>
      batch(pod.netns, [
        'link set lo up',
        ...pod.addresses.map((address) => addressLine(address, 'eth0')),
        'link set eth0 up',
        ...node.gateways.map((gateway) => `route add default via ${gateway}`),
      ]),
    ),
  );
}

/** A locally administered address made of its number. */
function cardOf({ name }: LabNode): string {
  const number = Number(name.slice(1)).toString(16).padStart(2, '0');
  return `02:00:00:00:00:${number}`;
}

function nodeLines(lab: Topology, node: LabNode): readonly string[] {
  const others = lab.members.filter((other) => other !== node);
  return [
    'link set lo up',
    ...node.addresses.map((address) => addressLine(address, 'eth0')),
    'link set eth0 up',
    'link add cni0 type bridge mcast_snooping 0',
    ...node.gateways.map((gateway) => addressLine(gateway, 'cni0')),
    'link set cni0 up',
    ...node.pods.flatMap((pod, at) => [
      `link add pod${at + 1} type veth peer name eth0 netns ${pod.netns}`,
      `link set pod${at + 1} master cni0 up`,
    ]),
    ...lab.wireAddresses.map((gateway) => `route add default via ${gateway}`),
    ...others.flatMap((other) =>
      other.podCIDRs.map((prefix, at) => `route add ${prefix} via ${other.addresses[at]}`),
    ),
  ];
}

/** Cuts the node off from all others and the API, as a switch that fails does: its own cable stays up. Or joins it again. */
export async function cutOff(lab: Topology, node: LabNode, isOff: boolean): Promise<void> {
  await run([
    'bridge',
    '-n',
    lab.wire,
    'link',
    'set',
    'dev',
    node.name,
    'state',
    isOff ? 'disabled' : 'forwarding',
  ]);
}

/** What a power cut leaves: nothing. Sockets that somebody still holds do not keep its cables. */
export async function destroyNodeNetwork(lab: Topology, node: LabNode): Promise<void> {
  await endProcesses([node.netns, ...node.pods.map((pod) => pod.netns)]);
  await run(['ip', '-n', lab.wire, 'link', 'del', node.name]).catch(alreadyGone);
  for (const [at] of node.pods.entries()) {
    await run(['ip', '-n', node.netns, 'link', 'del', `pod${at + 1}`]).catch(alreadyGone);
  }
  await deleteNamespaces([node.netns, ...node.pods.map((pod) => pod.netns)]);
}

/** Every namespace whose name begins so, and every process in one. */
export async function destroyNamespaces(prefix: string): Promise<number> {
  const names = await readdir(NETNS_FOLDER).catch(() => []);
  const ours = names.filter((name) => name.startsWith(prefix));
  await endProcesses(ours);
  await deleteNamespaces(ours);
  return ours.length;
}

async function deleteNamespaces(names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map((name) =>
      // A half-made one is a plain file, which ip(8) does not take away.
      run(['ip', 'netns', 'del', name]).catch(() => rm(`${NETNS_FOLDER}/${name}`, { force: true })),
    ),
  );
}

async function endProcesses(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const pids = await run(['ip', 'netns', 'pids', name]).catch(() => '');
    for (const pid of pids.split('\n').filter(Boolean).map(Number)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }
}

/** `sysctls` as `net.ipv4.ip_forward=1`. */
async function addNamespace(name: string, sysctls: readonly string[]): Promise<void> {
  await run(['ip', 'netns', 'add', name]);
  if (sysctls.length === 0) return;
  const writes = sysctls.map((sysctl) => {
    const [key = '', value = ''] = sysctl.split('=');
    return `echo ${value} >/proc/sys/${key.replaceAll('.', '/')}`;
  });
  await run(['ip', 'netns', 'exec', name, 'sh', '-ec', writes.join('\n')]);
}

/** Runs the lines by one `ip -batch` inside the namespace; throws `CommandError` at the first that fails. */
function batch(netns: string, lines: readonly string[]): Promise<void> {
  const argv = ['ip', '-n', netns, '-batch', '-'];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn('ip', argv.slice(1), { stdio: ['pipe', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.on('error', reject);
  child.on('close', (code) => {
    if (code === 0) resolve();
    else
      reject(
        new CommandError(argv, { cause: { code }, stdout: '', stderr: `${lines.join('; ')}: ${stderr}` }),
      );
  });
  child.stdin.on('error', () => {
    // It ended before it read all: its exit code says why.
  });
  child.stdin.end(`${lines.join('\n')}\n`);
  return promise;
}

function alreadyGone(error: unknown): void {
  if (!(error instanceof CommandError) || error.exitCode === undefined) throw error;
}

function addressLine(address: string, link: string): string {
  const family = isIPv6(address) ? 6 : 4;
  return `addr add ${address}/${LENGTH[family]} dev ${link}${family === 6 ? ' nodad' : ''}`;
}
