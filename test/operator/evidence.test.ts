import assert from 'node:assert/strict';
import { parseRecord } from '../../mesh/record.ts';
import type { Evidence, NodeRecord } from '../../mesh/types.ts';
import { ClaimsRead, NO_EVIDENCE } from '../../operator/agent/evidence.ts';

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
});
