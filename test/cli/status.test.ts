import assert from 'node:assert/strict';
import { formatConfig } from '../../cli/format/config.ts';
import { formatStatus, isWell } from '../../cli/format/status.ts';
import type { AgentStatus } from '../../operator/status.ts';
import { MINUTE, NOW, peer, SECOND, status, view } from './fixtures.ts';

const noAnswer = {
  code: 'PEER_SILENT',
  message: 'nothing came back on generation 1 for 3m; see that n3 is up and UDP 51831 reachable',
};

const cases: readonly { name: string; in: AgentStatus; well: boolean; want: string }[] = [
  {
    name: 'all is encrypted',
    in: status(),
    well: true,
    want: 'Encrypted: n1 to all 2 peers, wireguard generation 1, permissive, for 12m\n',
  },
  {
    name: 'a newer agent offers a driver that this version does not know',
    in: status({
      refused: [{ node: 'n3', uid: 'u3', code: 'DRIVER_UNKNOWN', message: 'has driver "masque"' }],
    }),
    well: true,
    want: 'Encrypted: n1 to all 2 peers, wireguard generation 1, permissive, for 12m\n',
  },
  {
    name: 'one node alone',
    in: status({ state: 'alone', peers: [] }),
    well: true,
    want: 'Encrypted: n1 has no peers yet, wireguard generation 1, permissive, for 12m\n',
  },
  {
    name: 'one peer is degraded',
    in: status({
      state: 'partial',
      since: NOW - 3 * MINUTE,
      peers: [peer('n2'), peer('n3', { state: 'degraded', since: NOW - 3 * MINUTE, reason: noAnswer })],
    }),
    well: false,
    want: `\
NOT all encrypted: n1 to 1 of 2 peers, wireguard generation 1, permissive, for 3m
  n3: degraded for 3m: nothing came back on generation 1 for 3m; see that n3 is
      up and UDP 51831 reachable (PEER_SILENT)
`,
  },
  {
    name: 'none is routed, and one has published nothing',
    in: status({
      state: 'plaintext',
      since: NOW - 4 * SECOND,
      peers: [
        peer('n2', { state: 'configured', since: NOW - 4 * SECOND }),
        peer('n3', { state: 'unknown', since: NOW - 4 * SECOND }),
      ],
    }),
    well: false,
    want: `\
NOT encrypted: n1, wireguard is on but none of 2 peers is routed, for 4s
  n2: configured for 4s: waiting for its handshake; see that its UDP port is
      reachable and its agent runs
  n3: unknown for 4s: its agent has published nothing yet; see that it runs,
      with 'sheath status' there
`,
  },
  {
    name: 'a rotation is under way, and who holds it up',
    in: status({
      rotation: { from: 1, to: 2, phase: 'draining' },
      waiting: [
        { node: 'n3', code: 'NOT_SWITCHED', message: 'n3 still sends on generation 1: see sheath peers n3' },
      ],
    }),
    well: true,
    want: `\
Encrypted: n1 to all 2 peers, wireguard generation 1, permissive, for 12m
  note: goes from generation 1 to 2: the old one is withdrawn when it is silent
  note: waits: n3 still sends on generation 1: see sheath peers n3
`,
  },
  {
    name: 'what the configuration leaves open, or asks in words of a newer version',
    in: status({
      config: { clusterPrefixes: { value: [], source: 'default' } },
      resource: { state: 'followed', observedGeneration: 3, unknownFields: ['quantum'] },
    }),
    well: true,
    want: `\
Encrypted: n1 to all 2 peers, wireguard generation 1, permissive, for 12m
  note: clusterPrefixes is empty: a Node may claim any address for its pods;
      name the ranges that all pods come from
  note: this version does not know, and does not follow, these fields of the
      resource: quantum
`,
  },
  {
    name: 'left out by the selector',
    in: status({
      encryption: 'none',
      state: 'plaintext',
      peers: [],
      notSelected:
        'not selected by nodeSelector {"matchLabels":{"pool":"blue"}} (encryptionmesh/default, generation 2)',
    }),
    well: false,
    want: `\
NOT encrypted: n1, not selected by nodeSelector {"matchLabels":{"pool":"blue"}} (encryptionmesh/default, generation 2); give it the label, or widen the selector, for 12m
`,
  },
  {
    name: 'switched off, with who said so',
    in: status({
      state: 'plaintext',
      encryption: 'none',
      generations: [],
      devices: [],
      config: { encryption: { value: 'none', source: 'file', name: '/etc/sheath.yaml:3' } },
    }),
    well: false,
    want: `\
NOT encrypted: n1, encryption is none (by /etc/sheath.yaml:3); switch it on with sheath enable, for 12m
`,
  },
  {
    name: 'a refused claim of another is named, and told once',
    in: status({
      peers: [
        peer('n2'),
        peer('n3', { state: 'refused', reason: { code: 'KEY_CLAIMED', message: 'same key as n2' } }),
      ],
      state: 'partial',
      refused: [
        { node: 'n3', uid: 'u3', code: 'KEY_CLAIMED', message: 'publishes the key of n2', inFavourOf: 'n2' },
      ],
    }),
    well: false,
    want: `\
NOT all encrypted: n1 to 1 of 2 peers, wireguard generation 1, permissive, for 12m
  n3: refused: publishes the key of n2; n2 keeps it (KEY_CLAIMED)
`,
  },
  {
    name: 'a Node has published nothing: told once, as a peer',
    in: status({
      state: 'partial',
      peers: [
        peer('n2'),
        peer('n3', {
          state: 'unknown',
          since: NOW - 4 * SECOND,
          reason: { code: 'NO_COMMON_GENERATION', message: 'publishes no key yet; is its agent running?' },
        }),
      ],
      refused: [
        {
          node: 'n3',
          uid: 'u3',
          code: 'NO_COMMON_GENERATION',
          message: 'publishes no key yet; is its agent running?',
        },
        { node: 'n3', uid: 'u3', code: 'ENDPOINT_MISSING', message: 'publishes no endpoint' },
      ],
    }),
    well: false,
    want: `\
NOT all encrypted: n1 to 1 of 2 peers, wireguard generation 1, permissive, for 12m
  n3: unknown for 4s: publishes no key yet; is its agent running?
      (NO_COMMON_GENERATION)
`,
  },
  {
    name: "the node's own trouble, and old knowledge",
    in: status({
      problems: [
        {
          code: 'PORT_TAKEN',
          message: 'UDP port 51831 is taken by another program; choose one with --wireguard-port',
          since: NOW - MINUTE,
        },
      ],
      records: { source: 'disk', nodes: 3, connected: false },
      devices: [{ name: 'sheath1', generation: 1, implementation: 'userspace', mtu: 1420, port: 51831 }],
    }),
    well: false,
    want: `\
Encrypted: n1 to all 2 peers, wireguard generation 1, permissive, for 12m
  n1: UDP port 51831 is taken by another program; choose one with
      --wireguard-port (PORT_TAKEN, for 1m)
  note: wireguard-go does the encryption in user space (slower): this kernel has
      no WireGuard, or it was asked for
  note: the other nodes are known from disk, not from the API server
`,
  },
];

describe('formatStatus', () => {
  for (const each of cases) {
    it(`says so when ${each.name}`, () => {
      assert.equal(formatStatus(each.in, view), each.want);
      assert.equal(isWell(each.in), each.well);
    });
  }

  const down = Array.from({ length: 196 }, (_, at) =>
    peer(`n${at + 10}`, { state: 'degraded', reason: { code: 'NO_ANSWER', message: 'does not answer' } }),
  );
  const many = status({ state: 'partial', peers: [...down, peer('z', { state: 'unknown' })] });

  it('names the first of many with the same trouble, and those with another', () => {
    const lines = formatStatus(many, { ...view, width: 200 }).split('\n');
    assert.equal(lines.length, 1 + 10 + 1 + 1 + 1);
    assert.equal(lines[10], '  n19: degraded for 12m: does not answer (NO_ANSWER)');
    assert.equal(lines[11], '  and 186 more: sheath peers (NO_ANSWER)');
    assert.match(lines[12] ?? '', /^ {2}z: unknown for /);
  });

  it('names all with -o wide', () => {
    assert.equal(formatStatus(many, { ...view, wide: true, width: 200 }).split('\n').length, 1 + 196 + 1 + 1);
  });

  it('lets no escape sequence of a Node reach the terminal', () => {
    const text = formatStatus(
      status({ state: 'partial', peers: [peer('\u001b]0;x\u0007', { state: 'unknown' })] }),
      view,
    );
    assert.ok(!text.includes('\u001b') && !text.includes('\u0007'), text);
  });
});

describe('formatConfig', () => {
  it('shows each value and who said so', () => {
    const text = formatConfig(
      {
        clusterPrefixes: {
          value: ['10.244.0.0/16', 'fd00:10::/48'],
          source: 'file',
          name: '/etc/sheath.yaml:4',
        },
        encryption: { value: 'wireguard', source: 'flag', name: '--encryption' },
        exempt: { value: [], source: 'default' },
        'wireguard.port': { value: 51830, source: 'default' },
      },
      view,
    );
    assert.equal(
      text,
      `\
SETTING          VALUE                       FROM
clusterPrefixes  10.244.0.0/16,fd00:10::/48  file /etc/sheath.yaml:4
encryption       wireguard                   flag --encryption
exempt           -                           default
wireguard.port   51830                       default
`,
    );
  });
});
