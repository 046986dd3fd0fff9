/** Specs as people might write them, right and wrong, each field for itself. */
import fc from 'fast-check';
import { KEYWORDS } from '../../../tunnels/ipsec/keywords.ts';
import type { Written } from './samples.ts';

const integer = fc.oneof(
  fc.constantFrom(
    -1,
    0,
    1,
    93,
    94,
    95,
    96,
    252,
    253,
    254,
    255,
    256,
    1279,
    1280,
    51830,
    51831,
    65534,
    65535,
    65536,
  ),
  fc.constantFrom(32765, 32766, 2147483647, 2147483648, 4294967295, 4294967296),
  fc.integer({ min: 1, max: 70_000 }),
);
const word = fc.constantFrom(
  'none',
  'wireguard',
  'ipsec',
  'strict',
  'permissive',
  'pods',
  'nodes',
  'auto',
  'on',
  'x',
  '',
);

const unit = fc.constantFrom('ms', 's', 'm', 'h', 'ms', 's', 'us', 'd', '');
const amount = fc.oneof(
  fc.nat(6000).map(String),
  fc.tuple(fc.nat(6000), fc.nat(999_999_999)).map(([whole, part]) => `${whole}.${part}`),
);
const duration = fc.oneof(
  fc
    .array(
      fc.tuple(amount, unit).map(([n, u]) => `${n}${u}`),
      { minLength: 1, maxLength: 3 },
    )
    .map((all) => all.join('')),
  fc.constantFrom(
    '0',
    '5s',
    '4.999999999s',
    '4999.999999999ms',
    '24h',
    '1h',
    '65535s',
    '65534.999s',
    '65535.000000001s',
  ),
  fc.constantFrom('-5s', '+5s', '5 s', '.5s', '5.s', '1e3s', '∞', '9999999h'),
);

const octet = fc.oneof(fc.constantFrom(0, 1, 10, 255, 256), fc.nat(255));
const v4 = fc.tuple(octet, octet, octet, octet).map((each) => each.join('.'));
const group = fc.oneof(
  fc.constant('0'),
  fc.constant('ffff'),
  fc.nat(65_535).map((n) => n.toString(16)),
  fc.constant('FD00'),
);
const v6 = fc.oneof(
  fc.tuple(group, group, group).map((each) => `${each.join(':')}::`),
  fc.tuple(group, group).map((each) => `::${each.join(':')}`),
  fc.array(group, { minLength: 8, maxLength: 8 }).map((each) => each.join(':')),
  v4.map((text) => `::ffff:${text}`),
  v4.map((text) => `64:ff9b::${text}`),
);
const length = fc.oneof(
  fc.constantFrom('0', '8', '16', '24', '32', '48', '64', '96', '128', '129', '08', '', '-1'),
);
/** With the host bits taken away often enough that some are right. */
const prefix = fc.oneof(
  fc.tuple(fc.oneof(v4, v6), length).map(([address, size]) => `${address}/${size}`),
  fc.constantFrom(
    '10.0.0.0/8',
    '10.244.0.0/16',
    'fd00::/8',
    'FD00:0::/16',
    '::/0',
    '0.0.0.0/0',
    '::ffff:0:0/95',
  ),
  fc.constantFrom(
    '10.0.0.0',
    '10.0/8',
    '010.0.0.0/8',
    'fe80::%eth0/64',
    '10.0.0.0/8 ',
    '::/000',
    '::ffff:0:0/96',
    '::fffe:0:0/95',
  ),
);
const prefixes = fc.array(prefix, { maxLength: 2 });

const number = fc.oneof(
  fc.nat(0xffff_ffff).map((n) => `0x${n.toString(16)}`),
  fc.nat(0xffff_ffff).map((n) => `0x${n.toString(16).toUpperCase()}`),
  fc.nat(5_000_000_000).map(String),
  fc.constantFrom(
    '0x1000',
    '0x00001000',
    '4096',
    '0',
    '0x0',
    '0X10',
    '0x',
    '0xg',
    '0x100000000',
    '0xffffffff',
  ),
);
const fwmark = fc.oneof(
  fc.tuple(number, number).map((each) => each.join('/')),
  fc
    .tuple(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff))
    .map(([a, b]) => `0x${((a & b) >>> 0).toString(16)}/0x${b.toString(16)}`),
  fc.tuple(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff)).map(([a, b]) => `${(a & b) >>> 0}/0x${b.toString(16)}`),
  number,
);

const labelKey = fc.constantFrom(
  'pool',
  'a/b',
  'example.org/pool',
  'a/b/c',
  '/b',
  'Example.org/x',
  '-x',
  'x_',
  'x'.repeat(64),
  'é',
);
const labelValue = fc.constantFrom('', 'blue', 'B.l_u-e', '-blue', 'a b', 'x'.repeat(63), 'x'.repeat(64));
const expression = fc.record(
  {
    key: labelKey,
    operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt'),
    values: fc.array(labelValue, { maxLength: 2 }),
  },
  { requiredKeys: ['key', 'operator'] },
);
const selector = fc.record(
  {
    matchLabels: fc.dictionary(labelKey, labelValue, { maxKeys: 2 }),
    matchExpressions: fc.array(expression, { maxLength: 2 }),
  },
  { requiredKeys: [] },
);

const GOOD = {
  ike: ['aes256gcm16-prfsha384-ecp384', 'aes256-sha256-x25519', 'aes256gcm16-prfsha384-x25519-ke1_mlkem768'],
  esp: ['aes256gcm16-esn', 'aes256-sha256', 'chacha20poly1305-x25519'],
};
const proposal = (good: readonly string[]) =>
  fc.oneof(
    { arbitrary: fc.constantFrom(...good), weight: 6 },
    { arbitrary: fc.constantFrom('', '-', 'aes256gcm16-', ...Object.values(GOOD).flat()), weight: 1 },
    {
      arbitrary: fc
        .subarray([...Object.keys(KEYWORDS), 'null', 'sha1', 'aes', 'AES256', 'toString'], {
          minLength: 1,
          maxLength: 4,
        })
        .map((words) => words.join('-')),
      weight: 1,
    },
  );
const proposals = {
  profile: fc.constantFrom('default', 'fips', 'post-quantum'),
  ikeProposals: fc.array(proposal(GOOD.ike), { maxLength: 2 }),
  espProposals: fc.array(proposal(GOOD.esp), { maxLength: 2 }),
};
export const anyIpsec: fc.Arbitrary<Written> = fc.record({ ipsec: group_(proposals) });

const fields = {
  encryption: word,
  mode: word,
  scope: word,
  generation: integer,
  rotation: group_({
    interval: duration,
    drain: duration,
    passOver: fc.array(fc.constantFrom('n1', 'n2', 'N3', 'a.b', 'a..b', ''), { maxLength: 2 }),
  }),
  wireguard: group_({
    port: integer,
    keepalive: duration,
    userspace: fc.constantFrom('auto', 'always', 'never', 'x'),
    threadedNapi: fc.constantFrom('unset', 'on', 'off', 'x'),
  }),
  ipsec: group_({
    ...proposals,
    profile: fc.constantFrom('default', 'fips', 'post-quantum', 'x'),
    lifetime: duration,
    vici: fc.constantFrom(
      '/run/charon.vici',
      '/run//x',
      '/run/',
      '/a b',
      '/x\n',
      `/${'x'.repeat(107)}`,
      '/é',
    ),
    userspace: fc.constantFrom('auto', 'always', 'never', 'x'),
  }),
  mtu: fc.oneof(integer, word, fc.constant('1400')),
  routing: group_({
    table: integer,
    rulePriority: integer,
    podTable: integer,
    podRulePriority: integer,
    fwmark,
  }),
  nodeSelector: selector,
  clusterPrefixes: prefixes,
  nodePrefixes: prefixes,
  prefixes: group_({ source: fc.constantFrom('podCIDRs', 'pods', 'annotations', 'x') }),
  exempt: prefixes,
};

function group_<T>(model: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return fc.record(model, { requiredKeys: [] });
}

/** A few fields each, or hardly one would be right. */
export const anySpec: fc.Arbitrary<Written> = fc
  .subarray(Object.keys(fields), { minLength: 1, maxLength: 3 })
  .chain((names) =>
    fc.record(Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)))),
  );
