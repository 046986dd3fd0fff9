import assert from 'node:assert/strict';
import { PROFILES } from '../../tunnels/ipsec/proposals.ts';
import { settingsOf } from '../../tunnels/ipsec/settings.ts';

describe('settings of IPsec', () => {
  it('follow the configuration: a session lasts as long as is said, and an IKE SA longer than its replacement takes', () => {
    const { ikeProposals, espProposals, lifetimes } = settingsOf({ ...PROFILES.fips, lifetime: 30 });
    assert.deepEqual([ikeProposals, espProposals], [PROFILES.fips.ikeProposals, PROFILES.fips.espProposals]);
    assert.equal(lifetimes.child, 30);
    assert.ok(lifetimes.ike > lifetimes.child * (1 + lifetimes.jitter));
  });
});
