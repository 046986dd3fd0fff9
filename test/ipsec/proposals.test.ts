import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Daemon, ownDaemon } from '../../tunnels/ipsec/daemon.ts';
import { KEYWORDS, type Kind } from '../../tunnels/ipsec/keywords.ts';
import { PROFILES, type Protocol, proposalProblem, wordsOf } from '../../tunnels/ipsec/proposals.ts';

describe('proposals', () => {
  const good: readonly (readonly [Protocol, string])[] = [
    ['ike', 'aes256gcm16-prfsha384-x25519'],
    ['ike', 'aes128gcm16-aes256gcm16-prfsha256-prfsha384-ecp256-ecp384'],
    ['ike', 'aes256-sha256-modp3072'],
    ['ike', 'aes256ctr-sha512-prfsha512-ecp521'],
    ['ike', 'chacha20poly1305-prfsha256-curve25519'],
    ['ike', 'aes256gcm16-prfsha384-x25519-ke1_mlkem768'],
    ['esp', 'aes256gcm16'],
    ['esp', 'aes256gcm16-x25519-esn-noesn'],
    ['esp', 'aes128-sha256'],
    ['esp', 'aes256gcm16-ecp384-ke1_mlkem1024-esn'],
  ];
  for (const [protocol, text] of good)
    it(`${text} is one of ${protocol}`, () => assert.equal(proposalProblem(text, protocol), undefined));

  const bad: readonly (readonly [Protocol, string, RegExp])[] = [
    ['ike', 'aes256-sha1-modp2048', /^sha1 is too old or too rare; use sha384$/],
    ['ike', 'aes256-sha256-modp1024', /^modp1024 is too weak \(RFC 8247\); use ecp384$/],
    ['ike', '3des-sha256-ecp256', /^3des has blocks of 64 bits \(RFC 8221\); use aes256gcm16$/],
    ['ike', 'aes256gcm8-prfsha256-ecp256', /^aes256gcm8 needs a tag of 16 bytes/],
    [
      'ike',
      'aes256gcm-prfsha256-ecp256',
      /^aes256gcm needs a tag of 16 bytes, said in full; use aes256gcm16$/,
    ],
    ['ike', 'aes-sha256-ecp256', /^aes does not say how long its key is/],
    ['ike', 'aes256gcm16-prfsha384-mlkem768', /^mlkem768 alone .* x25519-ke1_mlkem768$/],
    ['ike', 'aes256gcm16-prfsha384-x25519-ke1_none', /^ke1_none is no key exchange/],
    ['ike', 'aes256gcm16-prfsha384-x25519-ke2_mlkem768', /^ke2_mlkem768 is one more than there is/],
    ['ike', 'aes256gcm16-x25519', /has nothing to derive keys with; add prfsha384$/],
    ['ike', 'aes256gcm16-prfsha384', /has no key exchange; add x25519 or ecp384$/],
    ['ike', 'aes256-prfsha384-x25519', /needs sha256, sha384 or sha512 beside aes256/],
    ['ike', 'aes256gcm16-sha256-prfsha384-x25519', /has none of them beside aes256gcm16/],
    ['ike', 'aes256gcm16-aes256-sha256-x25519', /needs ciphers of one kind/],
    ['ike', 'prfsha384-x25519', /needs ciphers of one kind/],
    [
      'ike',
      'aes256gcm16-prfsha384-x25519-esn',
      /^esn has no place in an IKE proposal: only ESP .*; leave it out$/,
    ],
    [
      'esp',
      'aes256gcm16-prfsha384-x25519',
      /^prfsha384 has no place in an ESP proposal: only IKE .*; leave it out$/,
    ],
    ['esp', 'null-sha256', /^null encrypts nothing; use aes256gcm16$/],
    ['esp', 'aes256gmac', /^aes256gmac encrypts nothing/],
    ['esp', 'aes256gcm16-ke1_mlkem768', /has an additional key exchange and no first one/],
    ['esp', '', /^"" is no word of a proposal; there are aes128gcm16, .*noesn$/],
    ['esp', 'aes256gcm16--esn', /^"" is no word/],
    ['esp', 'AES256GCM16', /^"AES256GCM16" is no word/],
    ['esp', 'aes256gcm16,aes128gcm16', /^"aes256gcm16,aes128gcm16" is no word/],
    ['esp', 'constructor', /^"constructor" is no word/],
  ];
  for (const [protocol, text, message] of bad)
    it(`${JSON.stringify(text)} is none of ${protocol}: ${message.source}`, () =>
      assert.match(proposalProblem(text, protocol) ?? 'no problem', message));

  it('of the profiles are well, and those of fips approved', () => {
    for (const { ikeProposals, espProposals } of Object.values(PROFILES)) {
      for (const text of ikeProposals) assert.equal(proposalProblem(text, 'ike'), undefined, text);
      for (const text of espProposals) assert.equal(proposalProblem(text, 'esp'), undefined, text);
    }
    const { fips } = PROFILES;
    for (const { word, keyword } of [...fips.ikeProposals, ...fips.espProposals].flatMap(wordsOf))
      assert.ok(keyword.kind === 'esn' || keyword.approved, word);
  });

  it('of default and fips have one in common, so that a cluster may go from one to the other', () => {
    for (const list of ['ikeProposals', 'espProposals'] as const) {
      const known: readonly string[] = PROFILES.default[list];
      assert.ok(
        PROFILES.fips[list].some((text) => known.includes(text)),
        list,
      );
    }
  });
});

describe('proposals, at the real charon', function () {
  this.timeout(60_000);
  let folder: string;
  let daemon: Daemon;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sheath-proposals-'));
    // In a network of its own: the ports of this one are others' too.
    const program = join(folder, 'program');
    writeFileSync(program, '#!/bin/sh\nexec unshare --net charon-systemd\n');
    chmodSync(program, 0o700);
    daemon = ownDaemon({ folder: join(folder, 'ipsec'), program });
    await daemon.ready({ fwmark: 0x1000, ports: { ike: 500, natt: 4500 } });
  });
  after(async () => {
    await daemon.stop();
    daemon.close();
    rmSync(folder, { recursive: true });
  });

  const load = (ike: string, esp: string) =>
    daemon.client.request('load-conn', {
      test: { version: '2', proposals: [ike], children: { test: { esp_proposals: [esp] } } },
    });

  it('whatever is well is taken', async () => {
    await fc.assert(
      fc.asyncProperty(proposalOf('ike'), proposalOf('esp'), async (ike, esp) => {
        assert.deepEqual(
          [proposalProblem(ike, 'ike'), proposalProblem(esp, 'esp')],
          [undefined, undefined],
          `${ike} ${esp}`,
        );
        await load(ike, esp);
      }),
      { numRuns: 300 },
    );
  });

  it('what is wrong is refused by it too, but not always', async () => {
    for (const [ike, esp] of [
      ['aes256gcm16-x25519', 'aes256gcm16'],
      ['aes256gcm16-prfsha384', 'aes256gcm16'],
      ['aes256gcm16-prfsha384-x25519', 'aes256gcm17'],
    ] as const)
      await assert.rejects(load(ike, esp), /invalid value for: (esp_)?proposals/, `${ike} ${esp}`);
  });

  it('every algorithm has the name that it goes by there', async () => {
    const answer = await daemon.client.request('get-algorithms');
    const known = Object.values(answer).flatMap((kind) =>
      typeof kind === 'object' ? Object.keys(kind) : [],
    );
    for (const [word, keyword] of Object.entries(KEYWORDS))
      if (keyword.kind !== 'esn' && keyword.kind !== 'additional')
        assert.ok(known.includes(keyword.algorithm), `${word}: ${keyword.algorithm}`);
  });
});

/** Without the additional key exchanges, which Debian 12's charon does not know. */
function proposalOf(protocol: Protocol): fc.Arbitrary<string> {
  const some = (kind: Kind, least: number) =>
    fc.subarray(
      Object.keys(KEYWORDS).filter((word) => KEYWORDS[word]?.kind === kind),
      { minLength: least },
    );
  const isIke = protocol === 'ike';
  const group = some('group', isIke ? 1 : 0);
  const more = isIke ? fc.constant([]) : some('esn', 0);
  const ciphers = fc.oneof(
    fc.tuple(some('aead', 1), isIke ? some('prf', 1) : fc.constant([])),
    fc.tuple(some('cipher', 1), some('integrity', 1), isIke ? some('prf', 0) : fc.constant([])),
  );
  return fc.tuple(ciphers, group, more).map(([first, ...rest]) => [...first, ...rest].flat().join('-'));
}
