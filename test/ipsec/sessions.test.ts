import assert from 'node:assert/strict';
import type { Address } from '../../mesh/types.ts';
import type { IkeSa } from '../../tunnels/ipsec/security.ts';
import { Sessions } from '../../tunnels/ipsec/sessions.ts';
import type { State } from '../../tunnels/ipsec/xfrm/types.ts';

const START = 1_700_000_000_000;
const outbound: State = {
  spi: 2,
  source: '192.0.2.1' as Address,
  destination: '192.0.2.2' as Address,
  reqid: 100,
  interfaceId: 1,
  bytes: 0,
  installedAt: START,
};

function sa(age: number, more: { established?: number; spiOut?: number } = {}): IkeSa {
  return {
    name: 'sheath-7-a-n2',
    id: '1',
    state: 'ESTABLISHED',
    initiatorSpi: '0',
    initiator: true,
    localHost: '192.0.2.1',
    remoteId: '',
    established: more.established ?? age,
    algorithms: 'AES_GCM_16-256/PRF_HMAC_SHA2_384/CURVE_25519',
    children: [
      {
        name: 'child',
        id: '1',
        state: 'INSTALLED',
        reqid: 100,
        spiIn: 1,
        spiOut: more.spiOut ?? 2,
        installed: age,
        rekeyIn: 14_000 - age,
        algorithms: 'AES_GCM_16-256/ESN',
        encapsulated: true,
      },
    ],
  };
}

describe('what is known of sessions', () => {
  it('is found by the state that is sent by, and says when it is replaced', () => {
    const sessions = new Sessions(() => START + 10_400);
    sessions.learn([sa(10)]);
    const expected = {
      ikeEstablishedAt: START,
      childInstalledAt: START,
      rekeyAt: START + 3_600_000,
      ikeProposal: 'AES_GCM_16-256/PRF_HMAC_SHA2_384/CURVE_25519',
      espProposal: 'AES_GCM_16-256/ESN',
      spiIn: 1,
      spiOut: 2,
      nat: true,
    };
    assert.deepEqual(sessions.of(outbound, 3600), expected);
    assert.deepEqual(sessions.of(outbound, undefined), { ...expected, rekeyAt: START + 14_000_000 });
    assert.equal(sessions.of({ ...outbound, spi: 3 }, 3600), undefined);
    assert.equal(sessions.of({ ...outbound, reqid: 101 }, 3600), undefined);
  });

  it('stays the same from listing to listing, though ages are told in whole seconds', () => {
    let now = START;
    const sessions = new Sessions(() => now);
    sessions.learn([sa(0)]);
    const first = sessions.of(outbound, 3600);
    for (const [later, age] of [
      [1_900, 1],
      [59_100, 60],
      [120_999, 120],
    ] as const) {
      now = START + later;
      sessions.learn([sa(age)]);
      assert.deepEqual(sessions.of(outbound, 3600), first);
    }
    // charon made its IKE SA anew, with the same child.
    now = START + 200_000;
    sessions.learn([sa(200, { established: 0 })]);
    assert.equal(sessions.of(outbound, 3600)?.ikeEstablishedAt, START + 200_000);
  });

  it('goes with the session', () => {
    const sessions = new Sessions(() => START);
    sessions.learn([sa(0)]);
    sessions.learn([sa(0, { spiOut: 4 })]);
    assert.equal(sessions.of(outbound, 3600), undefined);
    assert.equal(sessions.of({ ...outbound, spi: 4 }, 3600)?.spiOut, 4);
  });

  it('of others stays known when only some were asked for', () => {
    const sessions = new Sessions(() => START);
    sessions.learn([sa(0)]);
    sessions.learn([sa(0, { spiOut: 4 })], { all: false });
    assert.ok(sessions.of(outbound, undefined));
    assert.ok(sessions.of({ ...outbound, spi: 4 }, undefined));
  });
});
