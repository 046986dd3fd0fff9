/** A line of log for a session that IPsec refused. The driver says what is repeated once a minute. */
import type { Logger } from 'pino';
import type { IkeRefusal, IkeRefusalCode } from '../../tunnels/dataplane.ts';

const WHY: Readonly<Record<IkeRefusalCode, string>> = {
  IKE_PEER_UNPROVEN: 'did not prove to be a peer: no record has that key for it, or its record has changed',
  IKE_OWN_KEY_REFUSED: 'does not know us by our key: it has another record of this node, or none yet',
  IKE_NO_COMMON_PROPOSAL: 'has no algorithms in common with us: compare the ipsec settings that both act on',
  IKE_OTHER_SELECTORS: 'asks for other traffic than a Sheath does',
  IKE_MALFORMED: 'sent what is no IKE',
  IKE_UNFINISHED: 'began a session and did not go on',
  IKE_NO_ANSWER: 'does not answer: see that UDP 500 and 4500 and ESP are open between the nodes',
  IKE_NOT_INSTALLED: 'agreed, but our kernel did not take the states: see its log',
};

/** Nothing that it says of itself is proven. */
export function sayRefusal(log: Logger): (refusal: IkeRefusal, times: number) => void {
  return ({ code, message, address, node, publicKey }, times) => {
    const who = `${node === undefined ? 'somebody' : `who calls itself ${node}`} at ${address ?? 'an unknown address'}`;
    const again = times > 1 ? ` (${times} times)` : '';
    log.warn(
      { event: 'ipsec-refused', code, peer: node, publicKey, address, times, charon: message },
      `${who} ${WHY[code]}${again}`,
    );
  };
}
