// kernel bench
/** iperf3 from pod to pod through the mesh, against a `wg` pair made by hand between the same two nodes. */
import { labDown, labUp } from '../lab/nodes/lab.ts';
import { compare, nodesOf, type Pair, TABLE } from './iperf.ts';
import { sh } from './machine.ts';

const NAME = 'bench';
const PROGRAM = ['node', new URL('../dist/sheath.mjs', import.meta.url).pathname];

const lab = await labUp({
  name: NAME,
  nodes: 2,
  program: PROGRAM,
  encryption: 'wireguard',
  patience: 120_000,
});
try {
  const pair = nodesOf(lab);
  pairByHand(pair);
  await compare(pair, 'a wg pair by hand');
} finally {
  await labDown(NAME);
}
process.exit();

/** A device each, with the MTU that the mesh has there, and routes in a table that no rule leads to yet. */
function pairByHand([one, other]: Pair): void {
  for (const node of [one, other]) {
    sh(`ip netns exec ${node.netns} sh -ec 'umask 077; wg genkey >/tmp/${node.netns}.key
        ip link add byhand type wireguard; wg set byhand listen-port 51900 private-key /tmp/${node.netns}.key
        ip link set byhand mtu "$(cat /sys/class/net/sheath1/mtu)" up'`);
  }
  for (const [node, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    const key = sh(`ip netns exec ${peer.netns} wg show byhand public-key`).trim();
    const [prefix] = peer.podCIDRs;
    sh(`ip netns exec ${node.netns} sh -ec 'wg set byhand peer ${key} endpoint ${peer.addresses[0]}:51900 allowed-ips ${prefix}
        ip route add ${prefix} dev byhand table ${TABLE}'`);
  }
}
