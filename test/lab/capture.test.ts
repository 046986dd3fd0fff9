import assert from 'node:assert/strict';
import fc from 'fast-check';
import { classifier } from '../../lab/capture/classify.ts';
import { hexdump } from '../../lab/capture/hexdump.ts';
import { type Frame, PcapReader } from '../../lab/capture/pcap.ts';
import { topology } from '../../lab/nodes/topology.ts';

const lab = topology({ name: 'x', nodes: 3, pods: 1, ipv6: true });
const classify = classifier(lab);

/** Ethernet, IPv4, UDP and the payload. */
function udp(
  from: string,
  to: string,
  options: { port: number; payload: Buffer; fragment?: number },
): Buffer {
  const frame = Buffer.alloc(42 + options.payload.length);
  frame.writeUInt16BE(0x0800, 12);
  frame.writeUInt8(0x45, 14);
  frame.writeUInt16BE(options.fragment ?? 0, 20);
  frame.writeUInt8(17, 23);
  Buffer.from(from.split('.').map(Number)).copy(frame, 26);
  Buffer.from(to.split('.').map(Number)).copy(frame, 30);
  frame.writeUInt16BE(40_000, 34);
  frame.writeUInt16BE(options.port, 36);
  options.payload.copy(frame, 42);
  return frame;
}

describe('what a capture makes of a frame', () => {
  const data = Buffer.from('04000000aabbccdd', 'hex');

  it('WireGuard on a port of the mesh', () => {
    assert.equal(classify(udp('192.0.2.11', '192.0.2.12', { port: 51831, payload: data })).kind, 'wireguard');
    assert.equal(classify(udp('192.0.2.11', '192.0.2.12', { port: 4444, payload: data })).kind, 'other');
    const text = Buffer.from('hello, world');
    assert.equal(classify(udp('192.0.2.11', '192.0.2.12', { port: 51831, payload: text })).kind, 'other');
  });

  it('IPsec: ESP, and IKE on its ports; not between pods, nor when it can be read', () => {
    const esp = (from: string, payload: Buffer) => {
      const frame = udp(from, '192.0.2.12', { port: 9, payload });
      frame.writeUInt8(50, 23);
      return classify(frame).kind;
    };
    assert.equal(esp('192.0.2.11', data), 'ipsec');
    assert.equal(esp('10.244.1.2', data), 'clear');
    assert.equal(esp('192.0.2.11', Buffer.from('xx sheath-lab-marker xx')), 'clear');
    for (const port of [500, 4500])
      assert.equal(classify(udp('192.0.2.11', '192.0.2.12', { port, payload: data })).kind, 'ipsec');
  });

  it('in clear: an address of a pod at either end', () => {
    const seen = classify(udp('10.244.1.2', '192.0.2.12', { port: 53, payload: data }));
    assert.deepEqual(seen, { kind: 'clear', from: '10.244.1.2', to: '192.0.2.12' });
    assert.equal(classify(udp('192.0.2.11', '10.244.3.255', { port: 53, payload: data })).kind, 'clear');
    assert.equal(classify(udp('192.0.2.11', '10.244.4.1', { port: 53, payload: data })).kind, 'other');
  });

  it('in clear: the marker, whoever seems to have sent it', () => {
    const payload = Buffer.from('xx sheath-lab-marker xx');
    assert.equal(classify(udp('192.0.2.11', '192.0.2.12', { port: 53, payload })).kind, 'clear');
    assert.equal(
      classify(udp('192.0.2.11', '192.0.2.12', { port: 53, payload, fragment: 100 })).kind,
      'clear',
    );
  });

  it('never fails, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => void classify(Buffer.from(bytes))));
    const ip = fc.constantFrom(0x0800, 0x86dd);
    fc.assert(
      fc.property(ip, fc.uint8Array({ maxLength: 120 }), (type, bytes) => {
        const frame = Buffer.concat([
          Buffer.alloc(12),
          Buffer.from([type >> 8, type & 255]),
          Buffer.from(bytes),
        ]);
        classify(frame);
      }),
    );
  });
});

describe('pcap', () => {
  const file = (frames: readonly Uint8Array[]): Buffer => {
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt32LE(1, 20);
    const records = frames.map((bytes, at) => {
      const record = Buffer.alloc(16);
      record.writeUInt32LE(at, 0);
      record.writeUInt32LE(500_000, 4);
      record.writeUInt32LE(bytes.length, 8);
      record.writeUInt32LE(bytes.length, 12);
      return Buffer.concat([record, bytes]);
    });
    return Buffer.concat([header, ...records]);
  };

  it('gives back every frame, however the file is cut', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
    fc.assert(
      fc.property(frames, fc.integer({ min: 1, max: 30 }), (wanted, size) => {
        const bytes = file(wanted);
        const got: Frame[] = [];
        const reader = new PcapReader((frame) => got.push({ ...frame, bytes: Buffer.from(frame.bytes) }));
        for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
        assert.deepEqual(
          got.map((frame) => [...frame.bytes]),
          wanted.map((frame) => [...frame]),
        );
        assert.deepEqual(
          got.map(({ at }) => at),
          wanted.map((_, at) => at * 1000 + 500),
        );
      }),
    );
  });

  it('refuses what is none', () => {
    assert.throws(() => new PcapReader(() => {}).push(Buffer.alloc(24)), /not in pcap format/);
  });
});

describe('hexdump', () => {
  it('shows sixteen bytes a line within 80 columns', () => {
    const lines = hexdump(Buffer.from('sheath-lab-marker\0\x7f')).split('\n');
    assert.equal(lines[0], '0000  73 68 65 61 74 68 2d 6c 61 62 2d 6d 61 72 6b 65  |sheath-lab-marke|');
    assert.equal(lines[1], `0010  72 00 7f${' '.repeat(39)}  |r..|`);
    assert.ok(lines.every((line) => line.length < 80));
  });
});
