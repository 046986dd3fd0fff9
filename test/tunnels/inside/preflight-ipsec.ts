/** What a machine with ESP is told before it takes part with IPsec: started in a namespace of its own, on a kernel that has it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IpsecConfig } from '../../../mesh/config.ts';
import { ownDaemon } from '../../../tunnels/ipsec/daemon.ts';
import { PROFILES } from '../../../tunnels/ipsec/proposals.ts';
import { preflight } from '../../../tunnels/preflight.ts';
import { routing } from '../states.ts';

const sh = (line: string) => execFileSync('sh', ['-ec', line], { encoding: 'utf8' });

const STATE = `ip -d link; ip address; ip rule; ip xfrm state; ip xfrm policy; nft list ruleset
  cat /proc/sys/net/core/xfrm_acq_expires /proc/net/xfrm_stat`;

describe('preflight of IPsec, on a kernel with ESP', function () {
  this.timeout(60_000);
  let folder: string;
  const look = async (config: Partial<IpsecConfig> = {}) =>
    (
      await preflight({
        userspace: 'auto',
        ipsec: { folder: join(folder, 'ipsec') },
        mesh: {
          routing,
          encryption: 'ipsec',
          wireguard: { port: 51830, keepalive: 0, userspace: 'auto' },
          ipsec: { ...PROFILES.default, lifetime: 3600, vici: undefined, userspace: 'auto', ...config },
        },
      })
    ).cannot.filter((text) => text.startsWith('ipsec: ') || text.startsWith('firewall: '));

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sheath-preflight-'));
    sh('ip link set lo up; ip link add under0 type veth peer name under1; ip link set under0 up');
  });
  after(() => rmSync(folder, { recursive: true }));

  it('has nothing to say, and changes nothing', async () => {
    const before = sh(STATE);
    for (const espProposals of [
      PROFILES.default.espProposals,
      PROFILES.fips.espProposals,
      ['chacha20poly1305-x25519', 'aes128ccm16', 'aes192ctr-sha512', 'aes128-aes256-sha256-sha384-noesn'],
    ])
      assert.deepEqual(await look({ espProposals }), []);
    assert.equal(sh(STATE), before);
  });

  it('names a port that another program has, and not one that our own charon has', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(4500, () => resolve()));
    assert.deepEqual(await look(), [
      'ipsec: UDP port 4500 is taken by another program; stop it, or name its socket with --ipsec-vici if it is a charon',
    ]);
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    const daemon = ownDaemon({ folder: join(folder, 'ipsec'), program: 'charon-systemd' });
    await daemon.ready({ fwmark: 0x1000, ports: { ike: 500, natt: 4500 } });
    assert.deepEqual(await look(), []);
    assert.deepEqual(await look({ vici: join(folder, 'ipsec/charon.vici') }), []);
    await daemon.stop();
    daemon.close();
  });

  it('has nothing against a device of ours', async () => {
    sh('ip link add sheath1 type xfrm if_id 0x73680007; ip link set sheath1 alias "sheath generation 7"');
    const found = await look();
    sh('ip link del sheath1');
    assert.deepEqual(found, []);
  });

  const things: readonly (readonly [what: string, come: string, go: string, expected: RegExp])[] = [
    [
      'a device in foreign hands, as for WireGuard',
      'ip link add sheath1 type bridge',
      'ip link del sheath1',
      /^ipsec: a device sheath1/,
    ],
    [
      'an underlay that is too small for the largest algorithm',
      'ip link set under0 mtu 1390; ip route add default dev under0',
      'ip link set under0 mtu 1500; ip route del default',
      /^ipsec: the MTU of under0 is 1390, .* IPv6 needs 1392; raise it/,
    ],
    [
      'a firewall without a rule for ESP',
      "nft 'add table inet fw; add chain inet fw in { type filter hook input priority 0; policy drop; }; add rule inet fw in udp dport { 500, 4500 } accept'",
      'nft delete table inet fw',
      /^firewall: nft inet fw in drops .* names ESP \(protocol 50\);/,
    ],
    [
      'a firewall that lets ESP in, and IKE not',
      'iptables -P INPUT DROP; iptables -A INPUT -p esp -j ACCEPT; iptables -A INPUT -p udp --dport 4000:5000 -j ACCEPT',
      'iptables -F INPUT; iptables -P INPUT ACCEPT',
      /^firewall: iptables INPUT drops .* names UDP port 500;/,
    ],
  ];
  for (const [what, come, go, expected] of things)
    it(`names ${what}`, async () => {
      sh(come);
      const found = await look({ espProposals: PROFILES.fips.espProposals });
      sh(go);
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', expected);
    });

  it('has nothing against a firewall that lets all of it in', async () => {
    sh(
      "nft 'add table inet fw; add chain inet fw in { type filter hook input priority 0; policy drop; }; add rule inet fw in meta l4proto esp accept; add rule inet fw in udp dport { 500, 4500 } accept'",
    );
    const found = await look();
    sh('nft delete table inet fw');
    assert.deepEqual(found, []);
  });
});
