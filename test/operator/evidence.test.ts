import assert from 'node:assert/strict';
import { plan } from '../../mesh/plan.ts';
import { parseRecord } from '../../mesh/record.ts';
import type { Evidence, NodeRecord } from '../../mesh/types.ts';
import { ClaimsRead, EvidencePace, NO_EVIDENCE, withStanding } from '../../operator/agent/evidence.ts';
import { config, recordOf } from '../mesh/fixtures.ts';

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
