// kernel suite: kernels newest, memory 2G, timeout 600
/** What may be configured is negotiated by real charons and done by a real kernel, and the largest packet fits whatever the algorithm. */
import assert from 'node:assert/strict';
import { CHARON } from '../../tunnels/ipsec/charon.ts';
import { tryCharon } from '../../tunnels/ipsec/charon-facts.ts';
import { ipsecFindings } from '../../tunnels/ipsec/preflight.ts';
import { PROFILES, type Proposals } from '../../tunnels/ipsec/proposals.ts';
import { settingsOf } from '../../tunnels/ipsec/settings.ts';
import { eventually, Machines } from './ipsec/machines.ts';

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

for (const one of CASES)
  describe(`IPsec with ${one.name}`, function () {
    this.timeout(60_000);
    let machines: Machines;
    before(async () => {
      machines = await start(one.proposals);
    });
    after(() => machines?.close());

    it('is negotiated', () => assertNegotiated(machines, one));
    it('carries the largest packet of the device in one of the wire, and none larger', () =>
      assertFits(machines, one));
  });

describe('IPsec with the profile post-quantum', function () {
  this.timeout(60_000);
  const one: Case = {
    name: 'the profile post-quantum',
    proposals: PROFILES['post-quantum'],
    states: /aead rfc4106\(gcm\(aes\)\)/,
    mtu: 1418,
  };

  it('is negotiated where charon has ML-KEM, and refused with the way out where it has not', async () => {
    const { version, algorithms } = await tryCharon(CHARON.program);
    const config = { ...one.proposals, lifetime: 3600, vici: undefined, userspace: 'auto' } as const;
    const findings = await ipsecFindings({ config, takenPorts: async () => new Set() });
    if (!algorithms.has('ML_KEM_768')) {
      assert.equal(findings.length, 1);
      assert.match(
        findings[0] ?? '',
        new RegExp(`^charon ${version} does not know ke1_mlkem768; install strongSwan 6`),
      );
      return;
    }
    assert.deepEqual(findings, []);
    const machines = await start(one.proposals);
    try {
      await assertNegotiated(machines, one);
      assert.match(machines.at(0).log(), /selected proposal: IKE:\S+\/KE1_ML_KEM_768/);
      await assertFits(machines, one);
    } finally {
      await machines.close();
    }
  });
});

async function start(proposals: Proposals): Promise<Machines> {
  const machines = new Machines(2, settingsOf({ ...proposals, lifetime: 3600 }));
  await setAll(machines, proposals);
  return machines;
}

async function setAll(machines: Machines, { espProposals }: Proposals): Promise<void> {
  for (const machine of machines.all) {
    const self = machine.number;
    const { errors } = await machine.set({ self, peers: [3 - self], generations: [7], espProposals });
    assert.deepEqual(errors, []);
  }
}

async function assertNegotiated(machines: Machines, { states }: Case): Promise<void> {
  await eventually(async () => {
    for (const machine of machines.all) {
      const [seen] = await machine.observe();
      assert.ok(seen?.lastHandshake !== undefined, `${machine.name}: ${machine.log().slice(-400)}`);
    }
  });
  assert.match(machines.at(0).on('ip xfrm state'), states);
}

async function assertFits(machines: Machines, { proposals, mtu }: Case): Promise<void> {
  const on = (script: string) => machines.at(0).on(script);
  const ping = (size: number) => {
    on(`ping -c 2 -i 0.1 -W 1 -M do -s ${size - HEADERS[4]} -I 10.244.1.1 10.244.2.1`);
    on(`ping -c 2 -i 0.1 -W 1 -M do -s ${size - HEADERS[6]} -I fd00:10:244:1::1 fd00:10:244:2::1`);
  };
  await setAll(machines, proposals);
  assert.match(on('ip link show sheath1'), new RegExp(`mtu ${mtu} `));
  await eventually(() => ping(1000));
  ping(mtu);
  const [names = '', counts = ''] = on('grep ^Ip: /proc/net/snmp').split('\n');
  assert.equal(counts.split(' ')[names.split(' ').indexOf('FragCreates')], '0');
  assert.throws(() => ping(mtu + 1));
  assert.deepEqual([machines.at(0).refusals(), machines.at(1).refusals()], [{}, {}]);
}
