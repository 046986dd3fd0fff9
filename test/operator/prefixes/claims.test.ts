import assert from 'node:assert/strict';
import { parseAddress } from '../../../mesh/address.ts';
import { parsePrefix } from '../../../mesh/prefix.ts';
import type { Address, Prefix } from '../../../mesh/types.ts';
import { PodClaims } from '../../../operator/prefixes/claims.ts';

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert.ok(parsed, text);
  return parsed;
}
const [A, B, C] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(address);

/** At second `at`, with these pods, and what others hold. */
function driven(former: readonly Prefix[] = []) {
  const claims = new PodClaims(former);
  return (
    at: number,
    live: readonly (Address | undefined)[],
    held: readonly (Address | undefined)[] = [],
    nodes = 3,
  ) => {
    const { claimed, nextAt } = claims.update({
      live: new Set(live.filter((each) => each !== undefined)),
      isHeld: (each) => held.includes(each),
      nodes,
      now: at * 1000,
    });
    return [[...claimed].join(' '), nextAt === undefined ? undefined : nextAt / 1000];
  };
}

describe('claims of pods’ addresses', () => {
  it('begin at once with the pods that are there', () => {
    assert.deepEqual(driven()(100, [A, B]), ['10.0.0.1 10.0.0.2', undefined]);
  });

  it('gather what changes within a second, and keep their distance', () => {
    const at = driven();
    at(100, [A]);
    assert.deepEqual(at(110, [A, B]), ['10.0.0.1', 111]);
    assert.deepEqual(at(110.5, [A, B, C]), ['10.0.0.1', 111]);
    assert.deepEqual(at(111, [A, B, C]), ['10.0.0.1 10.0.0.2 10.0.0.3', undefined]);
    assert.deepEqual(at(112, [A, C]), ['10.0.0.1 10.0.0.2 10.0.0.3', 116]);
    assert.deepEqual(at(116, [A, C]), ['10.0.0.1 10.0.0.3', undefined]);
  });

  it('are rarer where there are thousands of nodes, but not rarer than twice a minute', () => {
    const at = driven();
    at(100, [A], [], 1000);
    assert.deepEqual(at(101, [A, B], [], 1000), ['10.0.0.1', 120]);
    assert.deepEqual(at(102, [A, B], [], 5000), ['10.0.0.1', 130]);
  });

  it('forget a change that came to nothing', () => {
    const at = driven();
    at(100, [A]);
    at(110, [A, B]);
    assert.deepEqual(at(110.5, [A]), ['10.0.0.1', undefined]);
    assert.deepEqual(at(120, [A, B]), ['10.0.0.1', 121], 'a second anew');
  });

  it('leave an address to the node where it was, until it lets go of it', () => {
    const at = driven();
    at(100, [A]);
    assert.deepEqual(at(110, [A, B], [B]), ['10.0.0.1', 120]);
    assert.deepEqual(at(113, [A, B], []), ['10.0.0.1', 114]);
    assert.deepEqual(at(114, [A, B], []), ['10.0.0.1 10.0.0.2', undefined]);
  });

  it('do not wait for a dead node for ever', () => {
    const at = driven();
    at(100, [A]);
    at(110, [A, B], [B]);
    assert.deepEqual(at(120, [A, B], [B]), ['10.0.0.1', 121]);
    assert.deepEqual(at(121, [A, B], [B]), ['10.0.0.1 10.0.0.2', undefined]);
    assert.deepEqual(at(130, [A, B], [B]), ['10.0.0.1 10.0.0.2', undefined], 'nor give way later');
  });

  it('hold no other address up', () => {
    const at = driven();
    at(100, []);
    assert.deepEqual(at(110, [B, C], [B]), ['', 111]);
    assert.deepEqual(at(111, [B, C], [B]), ['10.0.0.3', 120]);
  });

  it('go on over a restart, also where somebody else claims the same', () => {
    const former = ['10.0.0.0/30'].map(parsePrefix).filter((prefix) => prefix !== undefined);
    assert.deepEqual(driven(former)(100, [A, B], [B]), ['10.0.0.1 10.0.0.2', undefined]);
    assert.deepEqual(driven()(100, [A, B], [B]), ['10.0.0.1', 110]);
  });
});
