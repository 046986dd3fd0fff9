/** What is other with IPsec: a session is there or is not, whatever is sent; and nobody's handshake is provoked. */
import assert from 'node:assert/strict';
import { initiations } from '../../mesh/handshakes.ts';
import { plan } from '../../mesh/plan.ts';
import { peerStatuses } from '../../mesh/status.ts';
import type { Observation, PeerStatus, SecurityAssociation } from '../../mesh/types.ts';
import { address, config, generationsText, key, noEvidence, recordOf, signingKey } from './fixtures.ts';

const G = 'sheath.dev/generations';
const START = Date.UTC(2026, 10, 22);

/** Generation 7 of WireGuard, and 8 of IPsec. */
function moving(node: string): string {
  const wireguard: unknown[] = JSON.parse(generationsText(node, 7));
  return JSON.stringify([
    ...wireguard,
    { generation: 8, driver: 'ipsec', publicKey: signingKey(`${node} 8`) },
  ]);
}

const self = recordOf(1, { [G]: moving('n1'), 'sheath.dev/sending': '7,8' });
const peer = recordOf(2, { [G]: moving('n2') });
const mesh = plan({ self, records: [peer], config, evidence: noEvidence });

const SESSION: SecurityAssociation = {
  ikeEstablishedAt: START,
  childInstalledAt: START,
  rekeyAt: START + 3_600_000,
  ikeProposal: 'AES_GCM_16-256/PRF_HMAC_SHA2_384/CURVE_25519',
  espProposal: 'AES_GCM_16-256/ESN',
  spiIn: 0xc0000001,
  spiOut: 0xc0000002,
  nat: false,
};

const wireguard = (seconds: number): Observation => ({
  device: 'sheath1',
  generation: 7,
  publicKey: key('n2 7'),
  lastHandshake: START + seconds * 1000,
  receivedBytes: seconds * 1000,
  sentBytes: seconds * 1000,
});

const ipsec = (fields: Partial<Observation> = {}): Observation => ({
  device: 'sheath0',
  generation: 8,
  publicKey: signingKey('n2 8'),
  receivedBytes: 0,
  sentBytes: 0,
  ...fields,
});

const session = (fields: Partial<Observation> = {}): Observation =>
  ipsec({
    lastHandshake: START,
    endpoint: { address: address('192.0.2.2'), port: 500 },
    security: SESSION,
    ...fields,
  });

describe('peerStatuses, with IPsec', () => {
  let previous: ReadonlyMap<string, PeerStatus>;
  beforeEach(() => {
    previous = new Map();
  });

  function see(seconds: number, observations: readonly Observation[], route?: number): PeerStatus {
    previous = peerStatuses({
      plan: mesh,
      previous,
      observations,
      routed: new Map(route === undefined ? [] : [['n2', route]]),
      deviceMtu: new Map(),
      now: START + seconds * 1000,
    });
    const status = previous.get('n2');
    assert.ok(status !== undefined);
    return status;
  }

  it('shows the session, and where it was made', () => {
    const status = see(5, [session()], 8);
    assert.deepEqual(
      [status.state, status.driver, status.answersAt, status.endpoint, status.security],
      ['routed', 'ipsec', '192.0.2.2', '192.0.2.2:500', SESSION],
    );
  });

  it('goes over when there is a session, and shows none of WireGuard’s', () => {
    assert.deepEqual(
      [see(1, [wireguard(1), ipsec()], 7).generation, previous.get('n2')?.driver],
      [7, 'wireguard'],
    );
    const both = see(2, [wireguard(2), session()], 7);
    assert.deepEqual([both.generation, both.established, both.security], [7, [7, 8], undefined]);
    assert.equal(see(3, [wireguard(3), session()], 8).driver, 'ipsec');
  });

  it('sent and not answered is no fault', () => {
    see(0, [session()], 8);
    for (let seconds = 10; seconds < 600; seconds += 10) {
      const status = see(seconds, [session({ sentBytes: seconds * 1000 })], 8);
      assert.deepEqual([status.state, status.unansweredSince], ['routed', undefined]);
    }
  });

  it('an old session is no fault', () => assert.equal(see(7200, [session()], 8).state, 'routed'));

  it('degraded when its session is gone, with its route and the way out', () => {
    see(0, [session()], 8);
    for (const seconds of [1, 2, 900]) {
      const { state, reason, generation } = see(seconds, [ipsec()], 8);
      assert.deepEqual([state, reason?.code, generation], ['degraded', 'NO_ANSWER', 8]);
      assert.match(reason?.message ?? '', /UDP 500, UDP 4500 and ESP .* 192\.0\.2\.2/);
    }
    assert.equal(see(901, [session()], 8).state, 'routed');
  });

  it('without a session yet it is told what must pass', () => {
    const only8 = { ...mesh, peers: mesh.peers.map((one) => ({ ...one, links: one.links.slice(1) })) };
    const statuses = peerStatuses({
      plan: only8,
      previous,
      observations: [ipsec()],
      routed: new Map(),
      deviceMtu: new Map(),
      now: START,
    });
    const { state, reason } = statuses.get('n2') ?? {};
    assert.deepEqual([state, reason?.code], ['configured', 'NO_HANDSHAKE']);
    assert.match(reason?.message ?? '', /no IPsec session with n2 yet; do UDP 500, UDP 4500 and ESP/);
  });

  it('is waited for, and nothing is provoked', () => {
    see(1, [wireguard(1), ipsec()], 7);
    const first = initiations({ plan: mesh, statuses: previous, attempts: new Map(), now: START });
    assert.deepEqual([[...first.keepalive], first.restart, first.nextAt], [[], [], undefined]);
    assert.deepEqual([...first.attempts.keys()], ['n2']);
    see(2, [wireguard(2), session()], 7);
    const then = initiations({ plan: mesh, statuses: previous, attempts: first.attempts, now: START });
    assert.equal(then.attempts.size, 0);
  });
});
