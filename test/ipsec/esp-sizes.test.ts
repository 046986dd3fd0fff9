import assert from 'node:assert/strict';
import { espMtu } from '../../mesh/mtu.ts';
import { DEFAULT_ESP_SIZES, espSizesOf } from '../../tunnels/ipsec/esp-sizes.ts';
import { PROFILES } from '../../tunnels/ipsec/proposals.ts';

describe('the sizes of ESP', () => {
  it('are those of every pair that a proposal allows', () => {
    assert.deepEqual(espSizesOf(['aes256-aes256ctr-sha256-sha512-esn']), [
      { iv: 16, block: 16, icv: 16 },
      { iv: 16, block: 16, icv: 32 },
      { iv: 8, block: 4, icv: 16 },
      { iv: 8, block: 4, icv: 32 },
    ]);
  });

  it('count the largest of all proposals', () => {
    const mtu = (proposals: readonly string[]) =>
      espMtu(1500, { outer: [4], inner: [4], sizes: espSizesOf(proposals) });
    assert.equal(mtu(PROFILES.default.espProposals), 1438);
    assert.equal(mtu(PROFILES['post-quantum'].espProposals), 1438);
    assert.equal(mtu(PROFILES.fips.espProposals), 1422);
    assert.equal(mtu(['aes256gcm16', 'aes256-sha512']), 1406);
  });

  it('are of GCM by default', () => {
    for (const sizes of DEFAULT_ESP_SIZES) assert.deepEqual(sizes, { iv: 8, block: 4, icv: 16 });
  });
});
