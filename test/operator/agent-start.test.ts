import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../../operator/errors.ts';
import { useAgents } from './agents.ts';
import { FakeKernel } from './fake-kernel.ts';

describe('the agent does not start, and says why', () => {
  const lab = useAgents();

  const fails = async (name: string, kernel: FakeKernel, code: string, exitCode: number) => {
    const agent = await lab.now.start(name, kernel);
    await assert.rejects(agent.done, (error: unknown) => {
      assert.ok(error instanceof OperatorError, String(error));
      assert.deepEqual([error.code, error.exitCode], [code, exitCode]);
      assert.ok(error.message.length > 20 && !error.message.includes('\n'));
      return true;
    });
  };

  it('where there is no such Node', () => fails('n9', new FakeKernel(lab.now.network), 'NODE_NOT_FOUND', 2));

  it('without the right to change the kernel', async () => {
    const kernel = new FakeKernel(lab.now.network);
    kernel.errors = [{ part: 'device', code: 'NOT_PERMITTED', message: 'device sheath1: EPERM' }];
    await fails('n1', kernel, 'NOT_PERMITTED', 1);
    assert.deepEqual(await lab.now.annotations('n1'), {});
  });

  it('when its port is taken', async () => {
    const kernel = new FakeKernel(lab.now.network);
    kernel.errors = [
      {
        part: 'device',
        code: 'PORT_TAKEN',
        message: 'port 51831 is taken: change it with --wireguard-port',
      },
    ];
    await fails('n1', kernel, 'DATAPLANE', 1);
  });

  it('when its key is damaged, and leaves that key alone', async () => {
    const agent = await lab.now.start('n1', new FakeKernel(lab.now.network));
    await lab.now.becomes('n1', 'plaintext');
    await agent.stop();
    const keys = join(lab.now.folder, 'n1', 'state', 'keys');
    const [file = ''] = (await readdir(keys)).filter((each) => each.includes('1'));
    await writeFile(join(keys, file), 'garbage');
    const again = await lab.now.start('n1', new FakeKernel(lab.now.network));
    await assert.rejects(again.done, { name: 'KeyringError' });
    assert.equal(await readFile(join(keys, file), 'utf8'), 'garbage');
  });

  it('goes on after a damaged record file, for it is only a copy', async () => {
    const agent = await lab.now.start('n1', new FakeKernel(lab.now.network));
    await lab.now.becomes('n1', 'plaintext');
    await agent.stop();
    await writeFile(join(lab.now.folder, 'n1', 'state', 'records.json'), '{"version":1,');
    await lab.now.start('n1', new FakeKernel(lab.now.network));
    await lab.now.becomes('n1', 'plaintext');
  });
});
