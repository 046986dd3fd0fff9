/** What a machine is told before it joins a mesh: started in a namespace of its own. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { runProgram } from '../../../tunnels/parts.ts';
import { preflight } from '../../../tunnels/preflight.ts';
import { desired, routing } from '../states.ts';
import { shape, takeBack } from './fixture.ts';
import { ip, makeUnderlay, open, removeUnderlay, snapshot, userspace } from './machine.ts';

const look = async (port = 51830) =>
  (
    await preflight({
      userspace: userspace ? 'always' : 'never',
      mesh: { routing, wireguard: { port, keepalive: 0, userspace: 'auto' } },
    })
  ).cannot;

const sh = (line: string) => runProgram('sh', ['-ec', line]);

describe('preflight', () => {
  beforeEach(() => makeUnderlay());
  afterEach(() => removeUnderlay());

  it('has nothing to say of a machine that can, and changes nothing; nor where our own devices live', async () => {
    const before = snapshot();
    assert.deepEqual(await look(), []);
    assert.equal(snapshot(), before);
    const machine = await open();
    await machine.set(desired(shape));
    assert.deepEqual(await look(), []);
    await takeBack(machine);
    await machine.close();
  });

  const things: readonly [string, string, string, RegExp][] = [
    ['a device', 'ip link add sheath0 type bridge', 'ip link del sheath0', /^wireguard: a device sheath0/],
    [
      'a rule priority',
      'ip rule add priority 94 lookup 100',
      'ip rule del priority 94',
      /^wireguard: rule .*--routing-pod-rule-priority/,
    ],
    [
      'a mark',
      'ip -6 rule add priority 300 fwmark 0x1000/0xf000 lookup 100',
      'ip -6 rule del priority 300',
      /^wireguard: rule .*--routing-fwmark/,
    ],
    [
      'a table',
      'ip route add 10.9.0.0/24 dev under0 table 51831',
      'ip route del 10.9.0.0/24 table 51831',
      /^wireguard: route .*--routing-pod-table/,
    ],
    [
      'an underlay that is too small',
      'ip link set under0 mtu 1300; ip route add default via 192.0.2.9',
      'ip link set under0 mtu 1500; ip route del default',
      /^wireguard: the MTU of under0 is 1300, .* 1360/,
    ],
    [
      "somebody's nftables",
      "nft 'add table inet fw; add chain inet fw in { type filter hook input priority 0; policy drop; }; add rule inet fw in udp dport 51000-51830 accept'",
      'nft delete table inet fw',
      /^firewall: nft inet fw in drops .* UDP port 51831;/,
    ],
    [
      "somebody's iptables",
      'iptables -P INPUT DROP; iptables -A INPUT -p udp --dport 51831 -j ACCEPT',
      'iptables -F INPUT; iptables -P INPUT ACCEPT',
      /^firewall: iptables INPUT drops .* UDP port 51830;/,
    ],
  ];
  for (const [what, come, go, expected] of things) {
    it(`names what is in the way: ${what}`, async () => {
      await sh(come);
      const found = await look();
      await sh(go);
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', expected);
    });
  }

  it('names a port that another program has, in either slot', async () => {
    for (const type of ['udp4', 'udp6'] as const) {
      const socket = createSocket({ type, ipv6Only: type === 'udp6' });
      await new Promise<void>((resolve) => socket.bind(51841, () => resolve()));
      const found = await look(51840);
      await new Promise<void>((resolve) => socket.close(() => resolve()));
      assert.equal(found.length, 1);
      assert.match(
        found[0] ?? '',
        /^wireguard: UDP port 51841 is taken by another program; .*--wireguard-port/,
      );
    }
  });

  it('without nft there is no strict mode, and says so', async () => {
    const { cannot } = await preflight({ userspace: 'auto', nft: '/nonexistent/nft' });
    assert.ok(cannot.some((text) => text.startsWith('strict: no nft')));
    ip('link show under0');
  });
});
