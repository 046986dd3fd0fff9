import assert from 'node:assert/strict';
import { RawNetlinkSocket } from 'netlink/dist/raw.js';
import { listLinks } from '../../tunnels/netlink/links.ts';
import { NETLINK_ROUTE, RequestSocket, type Socket } from '../../tunnels/netlink/socket.ts';
import { runProgram } from '../../tunnels/parts.ts';

describe('who never answers', () => {
  it('a program is killed, and named', async () => {
    await assert.rejects(runProgram('sleep', ['60'], { timeout: 50 }), {
      code: 'ETIMEDOUT',
      message: /^sleep: killed, for it did not end within 0\.05 s; /,
    });
  });

  it('the kernel: the request fails, and the next one has a socket of its own', async () => {
    const opened: RawNetlinkSocket[] = [];
    let closed = 0;
    const open = (protocol: number): Socket => {
      const socket = new RawNetlinkSocket(protocol);
      if (opened.push(socket) === 1) socket.send = () => {};
      socket.on('close', () => {
        closed += 1;
      });
      return socket;
    };
    const requests = new RequestSocket(NETLINK_ROUTE, { open, silence: 50 });
    let links = 0;
    const list = () =>
      requests.dump(
        listLinks,
        () => {
          links += 1;
        },
        () => {},
      );
    const [first, second] = await Promise.allSettled([list(), list()]);
    assert.equal(first.status, 'rejected');
    assert.equal(first.reason.code, 'ETIMEDOUT');
    assert.match(first.reason.message, /^the kernel did not answer for 0\.05 s/);
    assert.equal(second.status, 'fulfilled');
    assert.ok(links > 0);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([opened.length, closed], [2, 1]);
    requests.close();
  });

  it('the kernel, while this process stood still: what it answered meanwhile counts', async () => {
    const requests = new RequestSocket(NETLINK_ROUTE, { silence: 50 });
    let links = 0;
    const listed = requests.dump(
      listLinks,
      () => {
        links += 1;
      },
      () => {},
    );
    await Promise.resolve();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    await listed;
    assert.ok(links > 0);
    requests.close();
  });
});
