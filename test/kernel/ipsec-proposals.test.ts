// kernel suite: kernels newest, memory 2G, timeout 600
/** What may be configured is negotiated by real charons and done by a real kernel, and the largest packet fits whatever the algorithm. */
import assert from 'node:assert/strict';
import { PROFILES, type Proposals } from '../../tunnels/ipsec/proposals.ts';
import { settingsOf } from '../../tunnels/ipsec/settings.ts';
import { eventually, type Machine, Machines } from './ipsec/machines.ts';

interface Case {
  readonly name: string;
  readonly proposals: Proposals;
  /** As ip-xfrm(8) shows it. */
  readonly states: RegExp;
  /** With IPv6 outside. */
  readonly mtu: number;
}

const IKE = ['aes256gcm16-prfsha384-ecp384'];
const CASES: readonly Case[] = [
  {
    name: 'the profile fips',
    proposals: PROFILES.fips,
    states: /aead rfc4106\(gcm\(aes\)\)/,
    mtu: 1390,
  },
  {
    name: 'AES-CBC with HMAC-SHA-384',
    proposals: { ikeProposals: ['aes256-sha384-ecp384'], espProposals: ['aes256-sha384-esn'] },
    states: /auth-trunc hmac\(sha384\) \S+ 192\s+enc cbc\(aes\)/,
    mtu: 1390,
  },
  {
    name: 'AES-CBC with HMAC-SHA-512',
    proposals: { ikeProposals: ['aes128-sha512-modp3072'], espProposals: ['aes128-sha512'] },
    states: /auth-trunc hmac\(sha512\) \S+ 256\s+enc cbc\(aes\)/,
    mtu: 1390,
  },
  {
    name: 'AES-CTR with HMAC-SHA-256',
    proposals: { ikeProposals: ['aes256ctr-sha256-x448'], espProposals: ['aes256ctr-sha256-esn'] },
    states: /auth-trunc hmac\(sha256\) \S+ 128\s+enc rfc3686\(ctr\(aes\)\)/,
    mtu: 1418,
  },
  {
    name: 'AES-CCM',
    proposals: { ikeProposals: IKE, espProposals: ['aes256ccm16-esn'] },
    states: /aead rfc4309\(ccm\(aes\)\)/,
    mtu: 1418,
  },
  {
    name: 'ChaCha20-Poly1305',
    proposals: {
      ikeProposals: ['chacha20poly1305-prfsha256-x25519'],
      espProposals: ['chacha20poly1305-esn'],
    },
    states: /aead rfc7539esp\(chacha20,poly1305\)/,
    mtu: 1418,
  },
];

const HEADERS = { 4: 28, 6: 48 } as const;

for (const { name, proposals, states, mtu } of CASES)
  describe(`IPsec with ${name}`, function () {
    this.timeout(60_000);
    let machines: Machines;
    const shapeOf = ({ number }: Machine) => ({
      self: number,
      peers: [3 - number],
      generations: [7],
      espProposals: proposals.espProposals,
    });
    const on = (script: string) => machines.at(0).on(script);
    const ping = (size: number) => {
      on(`ping -c 2 -i 0.1 -W 1 -M do -s ${size - HEADERS[4]} -I 10.244.1.1 10.244.2.1`);
      on(`ping -c 2 -i 0.1 -W 1 -M do -s ${size - HEADERS[6]} -I fd00:10:244:1::1 fd00:10:244:2::1`);
    };

    before(async () => {
      machines = new Machines(2, settingsOf({ ...proposals, lifetime: 3600 }));
      for (const machine of machines.all) {
        const { errors } = await machine.set(shapeOf(machine));
        assert.deepEqual(errors, []);
      }
    });
    after(() => machines?.close());

    it('is negotiated', async () => {
      await eventually(async () => {
        for (const machine of machines.all) {
          const [seen] = await machine.observe();
          assert.ok(seen?.lastHandshake !== undefined, `${machine.name}: ${machine.log().slice(-400)}`);
        }
      });
      assert.match(on('ip xfrm state'), states);
    });

    it('carries the largest packet of the device in one of the wire, and none larger', async () => {
      for (const machine of machines.all) await machine.set(shapeOf(machine));
      assert.match(on('ip link show sheath1'), new RegExp(`mtu ${mtu} `));
      await eventually(() => ping(1000));
      ping(mtu);
      const [names = '', counts = ''] = on('grep ^Ip: /proc/net/snmp').split('\n');
      assert.equal(counts.split(' ')[names.split(' ').indexOf('FragCreates')], '0');
      assert.throws(() => ping(mtu + 1));
      assert.deepEqual([machines.at(0).refusals(), machines.at(1).refusals()], [{}, {}]);
    });
  });
