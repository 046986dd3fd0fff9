import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { addressBytes, addressText, prefixParts } from '../../tunnels/netlink/ip.ts';
import { addRule, parseRoute, parseRule, removeRoute, replaceRoute } from '../../tunnels/netlink/routes.ts';
import { attributes, MessageWriter, messages, NLM_F } from '../../tunnels/netlink/wire.ts';

/** Node's own idea of an address's canonical text. */
const canonical = (text: string) => new URL(`http://[${text}]`).hostname.slice(1, -1);

const written = (encode: (writer: MessageWriter) => void) => {
  const writer = new MessageWriter();
  encode(writer);
  writer.end(1);
  return writer.take();
};

describe('addresses on the wire', () => {
  it('are written as RFC 5952 says, and read back', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const bytes = addressBytes(text.toLowerCase());
        assert.equal(bytes.length, 16);
        const shown = addressText(bytes);
        assert.ok(isIPv6(shown));
        assert.equal(shown, canonical(text));
        assert.deepEqual(addressBytes(shown), bytes);
      }),
    );
  });

  it('are four bytes in IPv4, with the length of a single address when none is given', () => {
    assert.deepEqual(prefixParts('10.244.1.0/24'), { bytes: Uint8Array.of(10, 244, 1, 0), length: 24 });
    assert.equal(prefixParts('192.0.2.1').length, 32);
    assert.equal(prefixParts('::/0').length, 0);
  });
});

describe('netlink messages', () => {
  it('have the bytes that ip route replace sends', () => {
    const message = written(
      replaceRoute({
        table: 51830,
        prefix: '10.244.2.0/24',
        metric: 0,
        throw: false,
        link: 5,
        source: '192.0.2.1',
      }),
    );
    assert.equal(
      message.toString('hex'),
      [
        '3c000000180001050100000000000000', // length 60, RTM_NEWROUTE, REQUEST | REPLACE | CREATE
        '02180000fc53fd0100000000', // AF_INET /24, table "compat", protocol 83, scope link, unicast
        '080001000af40200', // RTA_DST
        '08000f0076ca0000', // RTA_TABLE 51830
        '0800040005000000', // RTA_OIF 5
        '08000700c0000201', // RTA_PREFSRC
      ].join(''),
    );
  });

  it('ask for an acknowledgement of the last only', () => {
    const writer = new MessageWriter();
    for (const sequence of [1, 2]) {
      removeRoute({ table: 1, prefix: '10.0.0.0/8', metric: 0, throw: true })(writer);
      writer.end(sequence);
    }
    writer.acknowledge();
    const flags = [...messages(writer.take())].map((message) => message.flags & NLM_F.ACK);
    assert.deepEqual(flags, [0, NLM_F.ACK]);
  });

  it('read what they write: routes', () => {
    const prefix = fc.oneof(fc.constantFrom('10.0.0.0/8', '0.0.0.0/0', 'fd00::/64', '2001:db8::1/128'));
    fc.assert(
      fc.property(prefix, fc.integer({ min: 1, max: 0xffffffff }), fc.boolean(), (text, table, isThrow) => {
        const route = { table, prefix: text, metric: 0, throw: isThrow, ...(isThrow ? {} : { link: 7 }) };
        const [message] = messages(written(replaceRoute(route)));
        assert.ok(message !== undefined);
        assert.deepEqual(parseRoute(message.body), { ...route, protocol: 83, strange: false });
      }),
    );
  });

  it('read what they write: rules, and see in others what ours never have', () => {
    const rule = { family: 4, priority: 95, table: 51830, not: true, mark: 0x1000, mask: 0x1000 } as const;
    const [message] = messages(written(addRule(rule)));
    assert.ok(message !== undefined);
    assert.deepEqual(parseRule(message.body), { ...rule, protocol: 83, strange: false });
    const [other] = messages(
      written((writer) => {
        addRule(rule)(writer);
        writer.string(3, 'eth0'); // FRA_IIFNAME
      }),
    );
    assert.ok(other !== undefined);
    assert.equal(parseRule(other.body).strange, true);
  });

  it('end where damage begins', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const buffer = Buffer.from(bytes);
        for (const { body } of messages(buffer)) attributes(body, 0);
      }),
    );
  });
});
