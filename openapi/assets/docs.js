'use strict';

// Search: every word must be in what a module says of itself. Enter opens the first that is left.
const search = document.querySelector('#search');
if (search) {
  const entries = [...document.querySelectorAll('[data-find]')];
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const entry of entries) {
      entry.hidden = !words.every((word) => entry.dataset.find.includes(word));
    }
    for (const group of document.querySelectorAll('[data-group]')) {
      group.hidden = !group.querySelector('[data-find]:not([hidden])');
    }
    const nothing = document.querySelector('#nothing');
    if (nothing) nothing.hidden = entries.some((entry) => !entry.hidden);
  };
  search.addEventListener('input', filter);
  search.addEventListener('keydown', (event) => {
    const first = entries.find((entry) => !entry.hidden);
    if (event.key === 'Enter' && first) location.href = first.querySelector('a')?.href ?? first.href;
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === '/' && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  filter();
  const here = document.querySelector('.side [aria-current]');
  if (here) here.closest('nav').scrollTop = here.offsetTop - 200;
}

// What is typed for the token and the connection goes into the commands on this page, and nowhere else.
const quote = (text) => text.replace(/'/g, "'\\''");
const fill = () => {
  for (const code of document.querySelectorAll('[data-command]')) {
    let text = code.dataset.command;
    for (const input of document.querySelectorAll('[data-fills]')) {
      if (input.value.trim()) text = text.replaceAll(input.dataset.fills, quote(input.value.trim()));
    }
    code.textContent = text;
  }
};
for (const code of document.querySelectorAll('[data-command]')) code.dataset.command = code.textContent;
for (const input of document.querySelectorAll('[data-fills]')) input.addEventListener('input', fill);

// Copying works without a secure context too, where the clipboard cannot be written to directly.
for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = false;
  button.addEventListener('click', async () => {
    const code = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand('copy');
      getSelection().removeAllRanges();
    }
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
}
