import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plan } from '../../mesh/plan.ts';
import { parseRecord } from '../../mesh/record.ts';
import type { Evidence, NodeRecord, Observation, PeerStatus } from '../../mesh/types.ts';
import { answersBy, answersFound, keepAnswering } from '../../operator/agent/answering.ts';
import {
  ClaimsRead,
  EvidencePace,
  forgetGone,
  NO_EVIDENCE,
  withStanding,
} from '../../operator/agent/evidence.ts';
import { knowledgePath, loadKnowledge, saveKnowledge } from '../../operator/records/disk.ts';
import { address, config, key, prefix, recordOf, vouchFor } from '../mesh/fixtures.ts';

function node(name: string, endpoints: string): NodeRecord {
  return parseRecord({
    name,
    uid: `uid-${name}`,
    creationTimestamp: '2026-01-01T00:00:00Z',
    annotations: { 'sheath.dev/endpoints': endpoints },
  });
}

function vouching(...names: readonly string[]): Evidence {
  return {
    ...NO_EVIDENCE,
    nodes: new Map(names.map((name) => [`uid-${name}`, { podCIDRs: [], addresses: [] }])),
  };
}

describe('evidence', () => {
  it('is read anew when a Node claims something else', () => {
    const claims = new ClaimsRead();
    const before = [node('n1', '192.0.2.1'), node('n2', '192.0.2.2')];
    const evidence = vouching('n1');
    claims.read(NO_EVIDENCE, evidence, before);
    assert.deepEqual(claims.outdated(evidence, before), []);
    const after = [node('n1', '192.0.2.11'), node('n2', '192.0.2.12')];
    assert.deepEqual(claims.outdated(evidence, after), ['n1']);
    claims.read(evidence, evidence, after);
    assert.deepEqual(claims.outdated(evidence, after), ['n1'], 'it could not be read: asked for again');
    const anew = vouching('n1');
    claims.read(evidence, anew, after);
    assert.deepEqual(claims.outdated(anew, after), []);
  });

  it('of a former agent is read anew, once', () => {
    const claims = new ClaimsRead();
    const records = [node('n1', '192.0.2.1')];
    assert.deepEqual(claims.outdated(vouching('n1'), records), ['n1']);
    const anew = vouching('n1');
    claims.read(vouching('n1'), anew, records);
    assert.deepEqual(claims.outdated(anew, records), []);
  });

  it('is asked for about one Node every 10 s, and about another at once', () => {
    const pace = new EvidencePace();
    assert.deepEqual(pace.take(['n1'], 0), ['n1']);
    assert.deepEqual(pace.take(['n1', 'n2'], 9_999), ['n2']);
    assert.deepEqual(pace.take(['n1', 'n2'], 10_000), ['n1']);
  });

  it('that cannot be read leaves in force what was', () => {
    const [victim, bad] = [recordOf(3), { ...recordOf(4), createdAt: '2020-01-01T00:00:00Z' }];
    const input = { self: recordOf(1), config };
    const before = plan({ ...input, records: [victim, bad], evidence: NO_EVIDENCE });
    const records = [victim, { ...bad, prefixes: [...bad.prefixes, ...victim.prefixes] }];
    const unread = plan({ ...input, records, evidence: NO_EVIDENCE });
    assert.deepEqual(unread.contested, ['n3', 'n4']);
    assert.notDeepEqual(unread.peers, before.peers, 'the older Node would have it');
    const evidence = withStanding(NO_EVIDENCE, unread.contested, before);
    const after = plan({ ...input, records, evidence });
    assert.deepEqual(after.peers, before.peers);
    assert.deepEqual(withStanding(evidence, unread.contested, unread), evidence, 'what was read counts');
  });
});

describe('who answers at an address', () => {
  const contended = address('192.0.2.3');
  const victim = recordOf(3, { 'sheath.dev/endpoints': contended });
  const thief = recordOf(2, { 'sheath.dev/endpoints': `192.0.2.2,${contended}` });
  const input = { self: recordOf(1), config };
  const inForce = plan({ ...input, records: [recordOf(2), victim], evidence: NO_EVIDENCE });
  const records = [thief, victim];
  const stolen = plan({ ...input, records, evidence: { ...NO_EVIDENCE, nodes: vouchFor(records) } });
  const from = (...nodes: readonly string[]) =>
    answersBy(
      new Map(
        nodes.map((name): [string, PeerStatus] => [
          name,
          { node: name, state: 'routed', since: 0, answersAt: contended, receivedBytes: 0, sentBytes: 0 },
        ]),
      ),
    );
  const none = NO_EVIDENCE.endpointHolders;
  const held = new Map([[contended, victim.uid]]);

  it('is the older one that has it when nobody proved itself', () => {
    assert.deepEqual(
      stolen.refused.map(({ node, endpoint }) => [node, endpoint]),
      [
        ['n3', contended],
        ['n3', undefined],
      ],
    );
    assert.equal(keepAnswering({ plan: stolen, inForce, answers: from(), holders: none }), none);
  });

  it('holds it, also after a restart', () => {
    for (const before of [inForce, undefined])
      assert.deepEqual(
        keepAnswering({ plan: stolen, inForce: before, answers: from('n3'), holders: none }),
        held,
      );
    assert.equal(keepAnswering({ plan: stolen, inForce, answers: from('n3'), holders: held }), held);
  });

  it('is the one in force where both seem to; nobody when none is', () => {
    const answers = from('n2', 'n3');
    assert.deepEqual(keepAnswering({ plan: stolen, inForce, answers, holders: none }), held);
    assert.equal(keepAnswering({ plan: stolen, inForce: undefined, answers, holders: none }), none);
  });

  it('is told before the first turn by what the kernel has', () => {
    const seen = (name: string, text: string, fields: Partial<Observation> = {}): Observation => ({
      device: 'sheath1',
      generation: 7,
      publicKey: key(`${name} 7`),
      endpoint: { address: address(text), port: 51831 },
      receivedBytes: 0,
      sentBytes: 0,
      ...fields,
    });
    const answers = answersFound(
      [seen('n2', contended), seen('n3', contended, { lastHandshake: 1 })],
      records,
    );
    assert.deepEqual([answers('n2', contended), answers('n3', contended)], [false, true]);
    assert.equal(answers('n3', address('192.0.2.2')), false);
  });

  it('is forgotten with its Node, and when that claims it no more', () => {
    const evidence: Evidence = { ...NO_EVIDENCE, endpointHolders: held };
    assert.equal(forgetGone(evidence, records), evidence);
    assert.deepEqual(forgetGone(evidence, [thief]), NO_EVIDENCE);
    const moved = recordOf(3, { 'sheath.dev/endpoints': '192.0.2.33' });
    assert.deepEqual(forgetGone(evidence, [thief, moved]), NO_EVIDENCE);
  });

  it('is kept on disk; a file without it is read as well', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sheath-evidence-'));
    try {
      const own = {
        name: 'n1',
        uid: 'u',
        creationTimestamp: '',
        podCIDRs: [prefix('10.0.0.0/24')],
        addresses: [],
      };
      const evidence: Evidence = {
        nodes: vouchFor(records),
        keyHolders: new Map([[key('n2 7'), 'uid-00002']]),
        endpointHolders: held,
      };
      await saveKnowledge(folder, { at: 1, nodes: [], own, evidence, reserved: [] });
      const load = async () => (await loadKnowledge(folder, () => assert.fail('damaged')))?.evidence;
      assert.deepEqual(await load(), evidence);
      const path = knowledgePath(folder);
      const written = JSON.parse(await readFile(path, 'utf8'));
      delete written.evidence.endpointHolders;
      await writeFile(path, JSON.stringify(written));
      assert.deepEqual(await load(), { ...evidence, endpointHolders: new Map() });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
