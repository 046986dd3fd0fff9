import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Address, Prefix } from '../../mesh/types.ts';
import { Traffic, together } from '../../tunnels/ipsec/traffic.ts';
import { parsePolicy, setPolicy } from '../../tunnels/ipsec/xfrm/policies.ts';
import { takeState } from '../../tunnels/ipsec/xfrm/states.ts';
import type { Policy, State } from '../../tunnels/ipsec/xfrm/types.ts';
import { MessageWriter, messages } from '../../tunnels/netlink/wire.ts';

const policy: Policy = {
  direction: 'out',
  prefix: '10.244.2.0/24' as Prefix,
  interfaceId: 0x73680007,
  reqids: [0x40000001],
  local: '192.0.2.1' as Address,
  remote: '192.0.2.2' as Address,
};

function bodyOf(one: Policy): Buffer {
  const writer = new MessageWriter();
  setPolicy(one)(writer);
  writer.end(1);
  const [message] = [...messages(writer.take())];
  assert.ok(message);
  return message.body;
}

const anyone = () => true;

describe('XFRM policies as bytes', () => {
  it('are read as they were written', () => {
    const address = fc.constantFrom('192.0.2.1', '2001:db8::1') as fc.Arbitrary<Address>;
    const prefix = fc.constantFrom(
      '10.244.2.0/24',
      '10.0.0.1/32',
      'fd00:1::/64',
      '::/0',
    ) as fc.Arbitrary<Prefix>;
    const reqid = fc.integer({ min: 1, max: 0x7fffffff });
    fc.assert(
      fc.property(prefix, address, reqid, (of, local, id) => {
        const remote = (local.includes(':') ? '2001:db8::2' : '192.0.2.2') as Address;
        const out: Policy = { ...policy, prefix: of, local, remote, reqids: [id] };
        assert.deepEqual(parsePolicy(bodyOf(out), anyone), { ...out, strange: false });
        const into: Policy = { ...out, direction: 'fwd', reqids: [id, id - 1] };
        // Of what comes in, the request ids say whose it is; addresses are left open.
        const { local: _, remote: __, ...read } = parsePolicy(bodyOf(into), anyone) ?? into;
        assert.deepEqual(read, {
          direction: 'fwd',
          prefix: of,
          interfaceId: policy.interfaceId,
          reqids: [id, id - 1],
          strange: false,
        });
      }),
    );
  });

  it('have the sizes of linux/xfrm.h, and replace what is there', () => {
    const writer = new MessageWriter();
    setPolicy({ ...policy, direction: 'in', reqids: [1, 2] })(writer);
    writer.end(1);
    const bytes = writer.take();
    assert.equal(bytes.length, 16 + 168 + (4 + 2 * 64) + (4 + 4));
    assert.equal(bytes.readUInt16LE(4), 0x19);
  });

  it('of others are not read, and of ours whatever differs is strange', () => {
    assert.equal(
      parsePolicy(bodyOf(policy), () => false),
      undefined,
    );
    const blocked = bodyOf(policy);
    blocked[161] = 1;
    assert.equal(parsePolicy(blocked, anyone)?.strange, true);
    const withPort = bodyOf(policy);
    withPort.writeUInt16BE(80, 32);
    assert.equal(parsePolicy(withPort, anyone)?.strange, true);
    const optional = bodyOf(policy);
    optional[168 + 4 + 50] = 1;
    assert.equal(parsePolicy(optional, anyone)?.strange, true);
  });

  it('a longer prefix comes first', () => {
    const priority = (prefix: string) => bodyOf({ ...policy, prefix: prefix as Prefix }).readUInt32LE(152);
    assert.ok(priority('10.244.2.7/32') < priority('10.244.2.0/24'));
    assert.ok(priority('fd00::1/128') < priority('fd00::/64'));
  });
});

describe('XFRM states as bytes', () => {
  it('are wiped when they were read, taken or not', () => {
    for (const isOurs of [() => true, () => false]) {
      const body = Buffer.alloc(300, 0xaa);
      takeState(body, isOurs);
      assert.ok(body.every((byte) => byte === 0));
    }
  });
});

describe('bytes of a link', () => {
  const state = (spi: number, reqid: number, more: { out?: boolean; bytes: number; at?: number }): State => ({
    spi,
    reqid,
    source: (more.out === true ? '192.0.2.1' : '192.0.2.2') as Address,
    destination: (more.out === true ? '192.0.2.2' : '192.0.2.1') as Address,
    interfaceId: 1,
    bytes: more.bytes,
    installedAt: more.at ?? 0,
  });
  const locals = new Set(['192.0.2.1']);

  it('go on when its states are replaced, and are the sum of both slots', () => {
    const traffic = new Traffic();
    traffic.take([state(1, 10, { bytes: 100 }), state(2, 10, { out: true, bytes: 40 })], locals);
    const later = traffic.take(
      [state(3, 11, { bytes: 5, at: 9 }), state(4, 11, { out: true, bytes: 6, at: 9 })],
      locals,
    );
    const sum = together([later.get(10), later.get(11)]);
    assert.deepEqual([sum.received, sum.sent], [105, 46]);
    assert.deepEqual([sum.inbound?.spi, sum.outbound?.spi], [3, 4]);
    assert.deepEqual(together([undefined, undefined]).inbound, undefined);
  });
});
