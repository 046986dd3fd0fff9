// kernel suite: kernels all, memory 512M
/** What the other suites take for granted of the kernel they run on: each thing is made once, and taken away. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { release } from 'node:os';

const NAMESPACE = 'kernel-test';

describe('the kernel under test', () => {
  beforeEach(() => sh(`ip netns add ${NAMESPACE}`));
  afterEach(() => sh(`ip netns del ${NAMESPACE}`));

  it('is the one that was asked for', () => {
    const wanted = process.env.SHEATH_KERNEL ?? '';
    assert.ok(release().startsWith(wanted), `SHEATH_KERNEL is ${wanted}, the kernel ${release()}`);
  });

  const things = {
    'a WireGuard device':
      'ip link add probe type wireguard && ip link set probe up && wg show probe listen-port',
    'an XFRM interface': 'ip link add probe type xfrm if_id 7 && ip link set probe up',
    'a TUN device': 'ip tuntap add probe mode tun',
    'a pair of veth': 'ip link add probe type veth peer name other',
    'rules and tables of both families':
      'ip rule add not fwmark 0x1000/0x1000 table 51830 && ip -6 rule add table 51830 && ip route add throw 10.9.0.0/24 table 51830',
    'nftables with nat, fib, sets and counters':
      "nft 'table inet t { set s { type ipv4_addr; flags interval; }; chain p { type nat hook postrouting priority 90; ip saddr @s counter masquerade; }; chain q { type filter hook prerouting priority 0; fib saddr type local counter drop; }; }'",
    'iptables MASQUERADE': 'iptables-nft -t nat -A POSTROUTING -s 10.9.0.0/24 -j MASQUERADE',
    'delay and loss by netem':
      'ip link add probe type veth peer name other && tc qdisc add dev probe root netem delay 1ms loss 1%',
  };
  for (const [thing, script] of Object.entries(things)) {
    it(`has ${thing}`, () => sh(`ip netns exec ${NAMESPACE} sh -ec ${quote(script)}`));
  }
});

function sh(script: string): void {
  execFileSync('sh', ['-ec', script], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
