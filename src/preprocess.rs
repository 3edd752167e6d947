use crate::frame::{Frame, Geometry, Rect};
use crate::model::metadata::Preprocessing;
use ndarray::Array4;
pub struct Input { pub tensor: Array4<f32>, pub geometry: Geometry }
impl Input { pub fn new(p: &Preprocessing) -> Input { Input { tensor: Array4::zeros((1,3,p.height,p.width)), geometry: Geometry{width:0,height:0,seen:Rect{x:0.,y:0.,width:0.,height:0.}} } } }
pub struct Preprocess { p: Preprocessing }
impl Preprocess {
    pub fn new(p: &Preprocessing) -> Preprocess { Preprocess { p: p.clone() } }
    pub fn run(&mut self, frame: &Frame, input: &mut Input) {
        assert!(frame.width==self.p.width && frame.height==self.p.height);
        for y in 0..frame.height { for x in 0..frame.width { for c in 0..3 {
            input.tensor[[0,c,y,x]] = (frame.rgb[(y*frame.width+x)*3+c] as f32 - self.p.mean[c])/self.p.scale[c];
        }}}
        input.geometry = Geometry{width:frame.width,height:frame.height,seen:Rect{x:0.,y:0.,width:frame.width as f32,height:frame.height as f32}};
    }
}
