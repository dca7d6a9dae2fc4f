import { Component, signal } from '@angular/core';
import { bootstrapApplication } from '@angular/platform-browser';

@Component({
  selector: 'app-root',
  template: `
    <h1>It is live.</h1>
    <p>Angular, published by one command.</p>
    <button type="button" (click)="count.set(count() + 1)">Clicked {{ count() }} times</button>
  `,
})
class App {
  readonly count = signal(0);
}

bootstrapApplication(App);
