import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FIELDS } from '../../operator/config/fields.ts';
import { parseFile } from '../../operator/config/file.ts';
import { loadLayers } from '../../operator/config/load.ts';
import { resolveConfig } from '../../operator/config/resolve.ts';
import { parseDuration, parseFwmark } from '../../operator/config/values.ts';
import { OperatorError } from '../../operator/errors.ts';
import { PROFILES } from '../../tunnels/ipsec/proposals.ts';

const said = { flags: {}, environment: {} };

async function resolved(spoken: Partial<Parameters<typeof loadLayers>[0]>) {
  return resolveConfig(await loadLayers({ ...said, ...spoken }));
}

function refusal(code: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof OperatorError);
    assert.equal(error.code, code);
    assert.equal(error.exitCode, 2);
    assert.match(error.message, message);
    return true;
  };
}

describe('configuration', () => {
  it('is off where nobody says otherwise', async () => {
    const { mesh, view } = await resolved({});
    assert.equal(mesh.encryption, 'none');
    assert.deepEqual(mesh.routing, {
      table: 51830,
      rulePriority: 95,
      podTable: 51831,
      podRulePriority: 94,
      fwmark: { mark: 0x1000, mask: 0x1000 },
    });
    assert.ok(
      Object.values(view).every((origin) => origin.source === 'default' && origin.name === undefined),
    );
  });

  it('has a flag and a variable for every field', () => {
    const names = FIELDS.map(({ path, flag, option, variable }) => [path, flag, option, variable]);
    assert.deepEqual(
      names.find(([path]) => path === 'wireguard.port'),
      ['wireguard.port', '--wireguard-port', 'wireguardPort', 'SHEATH_WIREGUARD_PORT'],
    );
    assert.deepEqual(
      names.find(([path]) => path === 'routing.podRulePriority'),
      [
        'routing.podRulePriority',
        '--routing-pod-rule-priority',
        'routingPodRulePriority',
        'SHEATH_ROUTING_POD_RULE_PRIORITY',
      ],
    );
    assert.deepEqual(names.find(([path]) => path === 'encryption')?.slice(1), [
      '--encryption',
      'encryption',
      'SHEATH_ENCRYPTION',
    ]);
    assert.equal(new Set(FIELDS.map((field) => field.flag)).size, FIELDS.length);
    assert.ok(FIELDS.every((field) => field.description !== ''));
  });

  describe('who wins', () => {
    let folder: string;
    let file: string;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'sheath-config-'));
      file = join(folder, 'sheath.yaml');
      await writeFile(
        file,
        'encryption: wireguard\nwireguard:\n  port: 3\nmtu: 1300\nexempt: [10.0.0.0/8]\n',
      );
    });
    after(() => rm(folder, { recursive: true }));

    it('the flag, then the environment, then the file; and each is named', async () => {
      const { mesh, view } = await resolved({
        flags: { wireguardPort: '1', other: 'x' },
        environment: { SHEATH_WIREGUARD_PORT: '2', SHEATH_MTU: '1400', HOME: '/root' },
        file,
      });
      assert.equal(mesh.wireguard.port, 1);
      assert.equal(mesh.mtu, 1400);
      assert.deepEqual(mesh.exempt, ['10.0.0.0/8']);
      assert.deepEqual(view['wireguard.port'], { value: 1, source: 'flag', name: '--wireguard-port' });
      assert.deepEqual(view.mtu, { value: 1400, source: 'environment', name: 'SHEATH_MTU' });
      assert.deepEqual(view.encryption, { value: 'wireguard', source: 'file', name: `${file}:1` });
      assert.deepEqual(view.exempt, { value: ['10.0.0.0/8'], source: 'file', name: `${file}:5` });
    });

    it('an empty flag or variable says nothing', async () => {
      const { mesh } = await resolved({ flags: { encryption: '' }, environment: { SHEATH_MTU: '' }, file });
      assert.equal(mesh.encryption, 'wireguard');
      assert.equal(mesh.mtu, 1300);
    });
  });

  describe('of IPsec', () => {
    it("has the profile's lists, an hour, and a charon of our own where nobody says otherwise", async () => {
      const { mesh } = await resolved({ flags: { encryption: 'ipsec' } });
      assert.deepEqual(
        [mesh.encryption, mesh.ipsec],
        ['ipsec', { ...PROFILES.default, lifetime: 3600, vici: undefined, userspace: 'auto' }],
      );
    });

    it('takes a profile from one, the lifetime from another', async () => {
      const { mesh, view } = await resolved({
        flags: { ipsecProfile: 'fips', ipsecVici: '/run/charon.vici' },
        environment: { SHEATH_IPSEC_LIFETIME: '1m30.5s', SHEATH_IPSEC_USERSPACE: 'never' },
      });
      assert.deepEqual(mesh.ipsec, {
        ...PROFILES.fips,
        lifetime: 91,
        vici: '/run/charon.vici',
        userspace: 'never',
      });
      assert.deepEqual(view['ipsec.profile'], { value: 'fips', source: 'flag', name: '--ipsec-profile' });
    });

    it('has lists in place of the profile', async () => {
      const { mesh } = await resolved({
        flags: { ipsecIkeProposals: 'aes256gcm16-prfsha384-ecp384', ipsecEspProposals: 'aes256gcm16-esn' },
      });
      assert.deepEqual(mesh.ipsec.ikeProposals, ['aes256gcm16-prfsha384-ecp384']);
      assert.deepEqual(mesh.ipsec.espProposals, ['aes256gcm16-esn']);
    });
  });

  it('says what is expected in a file, and what stands there', () => {
    const cases: readonly [text: string, message: RegExp][] = [
      ['generation: 1.5\n', /^f\.yaml:1: generation: expected a whole number, got 1\.5$/],
      ['scope: pod\n', /^f\.yaml:1: scope: expected pods or nodes, got "pod"$/],
      ['rotation:\n  drain: 180\n', /^f\.yaml:2: rotation\.drain: expected a duration .*, got 180$/],
      ['wireguard: [1]\n', /^f\.yaml:1: wireguard: expected a mapping$/],
    ];
    for (const [text, message] of cases)
      assert.throws(() => parseFile('f.yaml', text), refusal('CONFIG_INVALID', message));
  });

  describe('refuses', () => {
    const wrong: readonly [name: string, flags: Record<string, string>, message: RegExp][] = [
      [
        'an encryption that is none',
        { encryption: 'wiregard' },
        /^--encryption: expected none, wireguard or ipsec, got "wiregard"$/,
      ],
      [
        'a port that is none',
        { wireguardPort: '65535' },
        /^--wireguard-port: expected 65534 or less, got 65535$/,
      ],
      ['a port in words', { wireguardPort: 'many' }, /^--wireguard-port: expected a number, got "many"$/],
      ['an MTU below what IPv6 needs', { mtu: '1000' }, /^--mtu: .*1280/],
      ['a prefix with host bits', { exempt: '10.0.0.1/8' }, /^--exempt: expected a prefix/],
      ['a table of the system', { routingTable: '254' }, /^--routing-table: tables 253 to 255/],
      ['a mark outside its mask', { routingFwmark: '0x3/0x1' }, /^--routing-fwmark: expected MARK\/MASK/],
      [
        'a drain that is too short',
        { rotationDrain: '1s' },
        /^--rotation-drain: expected a duration.*from 5s/,
      ],
    ];
    for (const [name, flags, message] of wrong) {
      it(name, () => assert.rejects(resolved({ flags }), refusal('CONFIG_INVALID', message)));
    }

    it('values of two layers that do not go together', () =>
      assert.rejects(
        resolved({ flags: { routingTable: '7' }, environment: { SHEATH_ROUTING_POD_TABLE: '7' } }),
        refusal(
          'CONFIG_INVALID',
          /routing\.podTable 7 \(SHEATH_ROUTING_POD_TABLE\) must differ from routing\.table 7 \(--routing-table\)/,
        ),
      ));

    it('rules in the wrong order', () =>
      assert.rejects(
        resolved({ flags: { routingRulePriority: '50' } }),
        refusal('CONFIG_INVALID', /podRulePriority 94 \(default\) must be lower/),
      ));

    it('proposals of one kind alone', () =>
      assert.rejects(
        resolved({ flags: { ipsecIkeProposals: 'aes256gcm16-prfsha384-x25519' } }),
        refusal(
          'CONFIG_INVALID',
          /ipsec\.espProposals \[\] \(default\) must be set together with ipsec\.ikeProposals .* \(--ipsec-ike-proposals\)/,
        ),
      ));

    it('a word of a proposal, by its name, and with the way out', () =>
      assert.rejects(
        resolved({
          flags: {
            ipsecIkeProposals: 'aes256gcm16-prfsha384-x25519,aes256-sha1-modp2048',
            ipsecEspProposals: 'null-sha256',
          },
        }),
        refusal(
          'CONFIG_INVALID',
          /^--ipsec-ike-proposals: sha1 is too old or too rare; use sha384\n--ipsec-esp-proposals: null encrypts nothing; use aes256gcm16$/,
        ),
      ));

    it('algorithms that a profile excludes, by name', () =>
      assert.rejects(
        resolved({
          flags: {
            ipsecIkeProposals: 'aes256gcm16-prfsha384-ecp384,aes256gcm16-prfsha384-x25519',
            ipsecEspProposals: 'aes256gcm16-esn',
          },
          environment: { SHEATH_IPSEC_PROFILE: 'fips' },
        }),
        refusal(
          'CONFIG_INVALID',
          /with ipsec\.profile "fips" \(SHEATH_IPSEC_PROFILE\).*; not approved: x25519$/,
        ),
      ));

    it('proposals without what the profile post-quantum is for', () =>
      assert.rejects(
        resolved({
          flags: {
            ipsecProfile: 'post-quantum',
            ipsecIkeProposals: 'aes256gcm16-prfsha384-ecp384',
            ipsecEspProposals: 'aes256gcm16-esn',
          },
        }),
        refusal('CONFIG_INVALID', /must have an additional key exchange in each with .*: add ke1_mlkem768/),
      ));

    for (const flags of [{ wireguardThreadedNapi: 'on' }, { ipsecUserspace: 'always' }])
      it(`what it cannot do yet: ${JSON.stringify(flags)}`, () =>
        assert.rejects(
          resolved({ flags }),
          refusal('NOT_IMPLEMENTED', /is not implemented in this version: .*(use|leave)/),
        ));
  });

  describe('a file', () => {
    it('may be the whole resource', () => {
      const text =
        'apiVersion: sheath.dev/v1alpha1\nkind: EncryptionMesh\nmetadata: {name: default}\nspec:\n  encryption: wireguard\n';
      const layer = parseFile('mesh.yaml', text);
      assert.deepEqual(layer.spec, { encryption: 'wireguard' });
      assert.equal(layer.nameOf('encryption'), 'mesh.yaml:5');
    });

    const wrong: readonly [name: string, text: string, message: RegExp][] = [
      ['broken YAML', 'encryption: wireguard\nmtu: [1,\n', /^f\.yaml:[23]: /],
      ['an unknown field', 'mode: permissive\nencrytion: none\n', /^f\.yaml:2: .*encrytion/],
      ['an unknown field inside', 'wireguard:\n  port: 1\n  prot: 2\n', /^f\.yaml:3: wireguard: .*prot/],
      ['a value that is none', 'wireguard:\n  port: 0\n', /^f\.yaml:2: wireguard\.port: /],
      [
        'an item of a list',
        'exempt:\n- 10.0.0.0/8\n- 10.1.0.0\n',
        /^f\.yaml:3: exempt\.1: expected a prefix/,
      ],
      ['a list for a mapping', '- encryption: none\n', /^f\.yaml:1: expected a mapping/],
      [
        'another resource',
        'apiVersion: v1\nkind: ConfigMap\n',
        /^f\.yaml:1: expected sheath\.dev\/v1alpha1 EncryptionMesh, got v1 ConfigMap/,
      ],
    ];
    for (const [name, text, message] of wrong) {
      it(`names its line: ${name}`, () =>
        assert.throws(() => parseFile('f.yaml', text), refusal('CONFIG_INVALID', message)));
    }

    it('may be empty', () => assert.deepEqual(parseFile('f.yaml', '').spec, {}));

    it('that is not there is named', () =>
      assert.rejects(
        loadLayers({ ...said, file: '/nowhere/sheath.yaml' }),
        refusal('CONFIG_UNREADABLE', /\/nowhere\/sheath\.yaml/),
      ));
  });

  it('reads durations as Go does', () => {
    const cases: readonly [string, number | undefined][] = [
      ['180s', 180_000],
      ['1h30m', 5_400_000],
      ['1.5s', 1500],
      ['250ms', 250],
      ['0', 0],
      ['0s', 0],
      ['10', undefined],
      ['-5s', undefined],
      ['5 s', undefined],
      ['', undefined],
    ];
    for (const [text, expected] of cases) assert.equal(parseDuration(text), expected, text);
  });

  it('reads marks with their mask', () => {
    assert.deepEqual(parseFwmark('0x1000/0x1000'), { mark: 0x1000, mask: 0x1000 });
    assert.deepEqual(parseFwmark('4096/0xffffffff'), { mark: 4096, mask: 0xffffffff });
    for (const text of ['0x1000', '0/0xff', '0x100000000/0xffffffff', '3/1', 'a/b'])
      assert.equal(parseFwmark(text), undefined, text);
  });
});
