import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { ed25519PublicKey } from '../../keys/ed25519.ts';
import type { Address, PeerPlan } from '../../mesh/types.ts';
import {
  type ConnectionRequest,
  connectionName,
  connectionOf,
  identity,
  interfaceId,
  keyOf,
  namePrefix,
  requestId,
} from '../../tunnels/ipsec/connection.ts';
import { privateKeyDer, publicKeyDer } from '../../tunnels/ipsec/key-encoding.ts';
import { DEFAULT_IPSEC } from '../../tunnels/ipsec/settings.ts';
import { strongswanConf } from '../../tunnels/ipsec/strongswan-conf.ts';
import { decodeMessage, encodeMessage } from '../../tunnels/ipsec/vici/message.ts';
import { privateKey } from '../tunnels/states.ts';

const keyOfNode = (n: number) => ed25519PublicKey(privateKey(n));
const peer: PeerPlan = {
  node: 'n2',
  uid: 'u',
  links: [],
  endpoint: '192.0.2.2' as Address,
  allowedIPs: [],
  prefixes: [],
  addresses: [],
};
const request: ConnectionRequest = {
  self: 'n1',
  slot: 'a',
  ownKey: keyOfNode(1),
  local: '192.0.2.1' as Address,
  peer,
  link: { generation: 7, device: 'sheath1', driver: 'ipsec', publicKey: keyOfNode(2), port: 0 },
  mark: { mark: 0x1000, mask: 0x1000 },
  reqid: 0x40000000,
  settings: DEFAULT_IPSEC,
};

describe('keys as charon reads them', () => {
  it('are the ones that OpenSSL reads', () => {
    const seed = privateKey(1);
    const secret = createPrivateKey({ key: privateKeyDer(seed), format: 'der', type: 'pkcs8' });
    const open = createPublicKey({ key: publicKeyDer(keyOfNode(1)), format: 'der', type: 'spki' });
    assert.equal(secret.asymmetricKeyType, 'ed25519');
    assert.ok(createPublicKey(secret).equals(open));
  });
});

describe('a connection', () => {
  const { name, child, message } = connectionOf(request);

  it('knows the peer by its key and nothing else, and marks what it sends', () => {
    const text = JSON.stringify(decodeMessage(encodeMessage(message)));
    assert.equal(name, 'sheath-7-a-n2');
    assert.match(text, /"policies":"no"/);
    assert.match(text, /"set_mark_out":"0x1000\/0x1000"/);
    assert.match(text, /"mobike":"no"/);
    assert.doesNotMatch(text, /"auth":"psk"|cacerts/);
    assert.ok(text.includes(child));
  });

  it('has another child when anything is said otherwise, and the same when nothing is', () => {
    const childOf = (more: Partial<ConnectionRequest>) => connectionOf({ ...request, ...more }).child;
    assert.equal(childOf({}), child);
    const others = [
      childOf({ slot: 'b' }),
      childOf({ local: '192.0.2.9' as Address }),
      childOf({ peer: { ...peer, endpoint: '192.0.2.9' as Address } }),
      childOf({ ownKey: keyOfNode(9) }),
      childOf({ link: { ...request.link, publicKey: keyOfNode(9) } }),
      childOf({ reqid: 0x40000002 }),
      childOf({ mark: { mark: 0x2000, mask: 0x2000 } }),
      childOf({ settings: { ...DEFAULT_IPSEC, dpd: 1 } }),
    ];
    assert.equal(new Set([child, ...others]).size, others.length + 1);
    // Prefixes are not said to the peer.
    assert.equal(childOf({ peer: { ...peer, allowedIPs: ['10.0.0.0/8' as never] } }), child);
  });

  it('has a name that VICI takes, whatever the node is called', () => {
    const long = fc.stringMatching(/^[a-z0-9.-]{1,253}$/);
    fc.assert(
      fc.property(long, long, (one, other) => {
        const named = connectionName(4294967295, 'b', one);
        assert.ok(named.length <= 255 && named.startsWith(namePrefix(4294967295)));
        if (one !== other) assert.notEqual(connectionName(4294967295, 'b', other), named);
      }),
    );
  });

  it('of generation 7 is none of generation 70', () => {
    assert.ok(!connectionName(70, 'a', 'n2').startsWith(namePrefix(7)));
    assert.notEqual(interfaceId(7), interfaceId(70));
  });

  it('has an identity that tells the key', () => {
    const publicKey = keyOfNode(3);
    assert.equal(keyOf(identity({ generation: 7, slot: 'b', node: 'n.3', publicKey })), publicKey);
    assert.equal(keyOf('moon.strongswan.org'), undefined);
  });

  it('has a request id far from what charon hands out, of which the next is free', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.string(), (generation, node) => {
        const reqid = requestId(generation, node, keyOfNode(1));
        assert.ok(reqid >= 0x40000000 && reqid < 0x7fffffff && reqid % 2 === 0);
      }),
    );
  });
});

describe('strongswan.conf', () => {
  const conf = strongswanConf({
    socket: '/run/sheath/ipsec/charon.vici',
    fwmark: 0x1000,
    ports: { ike: 500, natt: 4500 },
    log: { path: '/tmp/a # b } c', level: 1 },
  });

  it('leaves routes to us, marks IKE, and listens where it is told', () => {
    assert.match(conf, /^ {2}install_routes = no$/m);
    assert.match(conf, /^ {6}socket = unix:\/\/\/run\/sheath\/ipsec\/charon\.vici$/m);
    assert.match(conf, /^ {6}fwmark = 0x1000$/m);
    assert.match(conf, /^ {2}routing_table = 0$/m);
    assert.doesNotMatch(conf, /libipsec/);
  });

  it('quotes what would end a value', () => {
    assert.match(conf, /path = "\/tmp\/a # b \} c"/);
    assert.equal(conf.match(/\{/g)?.length, (conf.match(/\}/g)?.length ?? 0) - 1);
  });
});
