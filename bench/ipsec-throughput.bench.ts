// kernel bench
/** iperf3 from pod to pod through the mesh on IPsec, against states, policies and an XFRM interface made by hand between the same two nodes. */
import { randomBytes } from 'node:crypto';
import { labDown, labUp } from '../lab/nodes/lab.ts';
import { compare, nodesOf, type Pair, TABLE } from './iperf.ts';
import { sh } from './machine.ts';

const NAME = 'bench';
const PROGRAM = ['node', new URL('../dist/sheath.mjs', import.meta.url).pathname];
const IF_ID = 99;
/** AES-256-GCM with 128 bits of check value, and its salt. */
const KEY_BYTES = 36;

const lab = await labUp({ name: NAME, nodes: 2, program: PROGRAM, encryption: 'ipsec', patience: 120_000 });
try {
  const pair = nodesOf(lab);
  pairByHand(pair);
  await compare(pair, 'XFRM by hand');
} finally {
  await labDown(NAME);
}
process.exit();

/** A device each, with the MTU that the mesh has there, and routes in a table that no rule leads to yet. */
function pairByHand([one, other]: Pair): void {
  const ways = [
    { from: one, to: other, spi: '0x1001', key: randomBytes(KEY_BYTES).toString('hex') },
    { from: other, to: one, spi: '0x1002', key: randomBytes(KEY_BYTES).toString('hex') },
  ];
  for (const node of [one, other]) {
    sh(`ip netns exec ${node.netns} sh -ec 'ip link add byhand type xfrm dev lo if_id ${IF_ID}
        ip link set byhand mtu "$(cat /sys/class/net/sheath1/mtu)" up'`);
    // The same as charon makes of aes256gcm16-esn, and what the mesh sets besides: window and mark.
    for (const { from, to, spi, key } of ways) {
      const ends = `src ${from.addresses[0]} dst ${to.addresses[0]}`;
      const outwards = from === node;
      const template = `if_id ${IF_ID} tmpl ${ends} proto esp reqid 1 mode tunnel`;
      const policies = outwards ? ['dir out'] : ['dir in', 'dir fwd'];
      const [prefix] = (outwards ? to : from).podCIDRs;
      const selector = outwards ? `dst ${prefix}` : `src ${prefix}`;
      sh(`ip -n ${node.netns} xfrm state add ${ends} proto esp spi ${spi} reqid 1 mode tunnel flag esn replay-window 1024 \\
          if_id ${IF_ID} aead "rfc4106(gcm(aes))" 0x${key} 128 ${outwards ? 'output-mark 0x1000 mask 0x1000' : ''}`);
      for (const direction of policies)
        sh(`ip -n ${node.netns} xfrm policy add ${selector} ${direction} ${template}`);
    }
    const [prefix] = (node === one ? other : one).podCIDRs;
    sh(`ip -n ${node.netns} route add ${prefix} dev byhand table ${TABLE}`);
  }
}
