// What a page on another origin than the server does; Chromium runs it in the tests (browser.rs),
// and the guide shows it.

const answer = await fetch('http://127.0.0.1:8972/Arith/Mul', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', Tenant: 'blue' },
  body: JSON.stringify({ A: 6, B: 7 }),
});
const reply = await answer.json();
if (!answer.ok) throw new Error(reply.error.message);

return JSON.stringify(reply);
