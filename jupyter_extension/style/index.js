import './base.css';
import './authoring.css';
import './graph.css';
import './runs.css';
