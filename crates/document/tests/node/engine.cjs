// The engine as a child process: one line of JSON in, one out.
'use strict';
const { spawn } = require('child_process');
const readline = require('readline');

class Engine {
  constructor(program) {
    this.child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.asked = [];
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.asked.shift()(JSON.parse(line)));
    this.child.on('exit', (code) => {
      if (this.asked.length > 0) {
        console.error(`the engine has ended with ${code}`);
        process.exit(1);
      }
    });
  }

  try(command) {
    return new Promise((resolve) => {
      this.asked.push(resolve);
      this.child.stdin.write(`${JSON.stringify(command)}\n`);
    });
  }

  async do(command) {
    const answer = await this.try(command);
    if (answer.error) throw new Error(`${answer.error}: ${JSON.stringify(command)}`);
    return answer;
  }

  end() {
    this.child.stdin.end();
  }
}

module.exports = { Engine };
