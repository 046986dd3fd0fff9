import assert from 'node:assert/strict';
import pino from 'pino';
import { sayRefusal } from '../../operator/agent/ipsec-refusals.ts';
import { publicKey } from '../tunnels/states.ts';

describe('refusals of IPsec in the log', () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line) => void lines.push(JSON.parse(line)) });
  beforeEach(() => {
    lines.length = 0;
  });

  it('say who it says it is, from where, and what that means', () => {
    const refusal = {
      code: 'IKE_PEER_UNPROVEN',
      message: 'peer authentication failed',
      address: '192.0.2.9[4500]',
      node: 'n9',
      publicKey: publicKey(9),
    } as const;
    sayRefusal(log)(refusal, 1);
    const [line] = lines;
    assert.equal(line?.event, 'ipsec-refused');
    assert.equal(line?.code, 'IKE_PEER_UNPROVEN');
    assert.equal(line?.publicKey, publicKey(9));
    assert.match(
      String(line?.msg),
      /^who calls itself n9 at 192\.0\.2\.9\[4500\] did not prove to be a peer: /,
    );
    sayRefusal(log)(refusal, 12);
    assert.match(String(lines[1]?.msg), /\(12 times\)$/);
  });

  it('of somebody who says nothing of itself', () => {
    sayRefusal(log)({ code: 'IKE_MALFORMED', message: '' }, 1);
    assert.equal(lines[0]?.msg, 'somebody at an unknown address sent what is no IKE');
  });
});
