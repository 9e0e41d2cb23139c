import { styleText } from 'node:util';

/** Where the standalone writes for people: a terminal, or a pipe that gets the same lines without colours. */
export type Screen = {
  line: (text?: string) => void;
  /** Text made bold, dim and so on where there is a terminal. */
  style: (style: Parameters<typeof styleText>[0], text: string) => string;
  /** Runs one step of the start; shows what is being waited for once it takes long enough to be noticed. */
  step: <T>(what: string, work: () => Promise<T>) => Promise<T>;
};

/** Shorter than this, a person sees no waiting. */
const noticedMs = 300;

export function createScreen(stream: NodeJS.WriteStream = process.stdout, env = process.env): Screen {
  const isTerminal = Boolean(stream.isTTY);
  const coloured = isTerminal && !env['NO_COLOR'];
  return {
    line: (text = '') => void stream.write(`${text}\n`),
    style: (style, text) => (coloured ? styleText(style, text, { validateStream: false }) : text),
    async step(what, work) {
      const startedMs = performance.now();
      let shown = false;
      const timer = setInterval(() => {
        const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
        if (isTerminal) stream.write(`\r\u001b[2K${what} … ${seconds} s`);
        else if (!shown) stream.write(`${what} …\n`);
        shown = true;
      }, noticedMs);
      try {
        return await work();
      } finally {
        clearInterval(timer);
        if (shown && isTerminal) stream.write('\r\u001b[2K');
      }
    },
  };
}
